// TLS 1.2 and 1.3 without any I/O: what the wire brought goes in, what is for the wire comes out.
// By OpenSSL. Nothing is waited for, so it serves a loop and a blocking socket alike.
//
// A context may be used by any number of threads; a session by one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/error.h"

// OpenSSL's SSL and SSL_CTX.
struct ssl_st;
struct ssl_ctx_st;

namespace tokend {

// Files are PEM. A Status names the option that is at fault.
struct TlsServerOptions {
  std::string certificate_file;  // its own certificate, and those between it and its root
  std::string key_file;
  std::string client_ca_file = {};  // empty = clients are asked for no certificate
  bool client_certificate_required = false;
  bool only_1_3 = false;
};

struct TlsClientOptions {
  std::string ca_file = {};           // whom to trust; empty = whom the system trusts
  std::string certificate_file = {};  // its own, where the server wants one
  std::string key_file = {};
  // Whom the server's certificate has to name; empty = the host that was asked for.
  std::string server_name = {};
};

class TlsContext {
 public:
  static Status MakeServer(const TlsServerOptions& options,
                           std::shared_ptr<const TlsContext>* context);
  static Status MakeClient(const TlsClientOptions& options,
                           std::shared_ptr<const TlsContext>* context);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

 private:
  friend class TlsSession;
  TlsContext() = default;

  ssl_ctx_st* context_ = nullptr;
  bool is_server_ = false;
  std::string server_name_;
};

class TlsSession {
 public:
  enum class Result : uint8_t {
    kData,      // some bytes were opened
    kNeedMore,  // all that was received is used up
    kEnd,       // the peer has ended its side
    kFailed,    // error() says why; output() may have an alert for the peer
  };

  // Of a client `host` is whom it asks for: a name or an address.
  explicit TlsSession(std::shared_ptr<const TlsContext> context, const std::string& host = {});
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  // Of a client: puts the first message of the handshake into output().
  void Begin();
  // What has come. It stays where it is until Open has given anything but kData, or the next call.
  void Receive(std::string_view sealed) { input_ = sealed; }
  // Opens at most `size` bytes, which is to be 16 KiB or more: then it is at most one record. Goes
  // on with the handshake first, as far as what was received allows.
  Result Open(char* to, size_t size, size_t* opened);
  // Adds to output(). Requires established(). False if it failed.
  [[nodiscard]] bool Seal(std::string_view plain);
  // Adds the message that says that no more comes.
  void End();

  // What is to be sent; whoever has sent it clears it.
  std::string& output() { return output_; }
  const std::string& output() const { return output_; }

  bool established() const { return established_; }
  // Whether something has come of a record whose end has not.
  bool HasUnfinished() const;
  // Requires established():
  bool resumed() const;
  // Whom the peer's certificate names, if it has shown one and it was found good: its alternative
  // names (DNS, URI, e-mail), or its common name where it has none.
  std::vector<std::string> PeerNames() const;

  const std::string& error() const { return error_; }

 private:
  friend struct TlsBio;
  // A peer may change its keys and hand out tickets, but not do that alone.
  static constexpr size_t kMessagesMax = 16;

  Result Failed(int returned);
  bool HasPeerExpired() const;

  const std::shared_ptr<const TlsContext> context_;
  ssl_st* ssl_ = nullptr;
  std::string_view input_;
  std::string output_;
  bool established_ = false;
  size_t messages_ = 0;  // about the connection itself, since data came last
  std::string error_;
};

}  // namespace tokend
