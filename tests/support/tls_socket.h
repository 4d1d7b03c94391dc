// A TLS client of the tests' own on a blocking socket, by OpenSSL's usual way and not by ours.
#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "protocol/msgpack.h"
#include "tests/support/certificates.h"
#include "tests/support/rpc_socket.h"

namespace tokend::testing {

struct TlsClient {
  std::string ca_file;
  CertificateFiles own = {};  // empty = none
  SSL_SESSION* session = {};  // to go on with; null = none
  std::string protocol = {};  // for ALPN; empty = none is offered
  int version = TLS1_3_VERSION;
};

class TlsSocket {
 public:
  TlsSocket(const Endpoint& endpoint, const TlsClient& client)
      : socket_(endpoint),
        context_(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free),
        ssl_(nullptr, &SSL_free) {
    SSL_CTX_load_verify_file(context_.get(), client.ca_file.c_str());
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_min_proto_version(context_.get(), client.version);
    SSL_CTX_set_max_proto_version(context_.get(), client.version);
    if (!client.own.certificate.empty()) {
      SSL_CTX_use_certificate_chain_file(context_.get(), client.own.certificate.c_str());
      SSL_CTX_use_PrivateKey_file(context_.get(), client.own.key.c_str(), SSL_FILETYPE_PEM);
    }
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_fd(ssl_.get(), socket_.fd());
    SSL_set1_ip(endpoint);
    if (client.session != nullptr) SSL_set_session(ssl_.get(), client.session);
    if (!client.protocol.empty()) {
      const std::string offered = static_cast<char>(client.protocol.size()) + client.protocol;
      SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(offered.data()),
                          static_cast<unsigned int>(offered.size()));
    }
    if (SSL_connect(ssl_.get()) != 1) throw std::runtime_error("handshake: " + Error());
  }
  // Says that no more comes, as a TLS client does.
  ~TlsSocket() { SSL_shutdown(ssl_.get()); }
  TlsSocket(TlsSocket&&) = default;

  void Send(std::string_view bytes) {
    size_t sent = 0;
    if (SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &sent) != 1) {
      throw std::runtime_error("send: " + Error());
    }
  }
  // What has come, at least a byte; empty at the end of the stream.
  std::string Receive() {
    std::string bytes(65536, '\0');
    size_t size = 0;
    if (SSL_read_ex(ssl_.get(), bytes.data(), bytes.size(), &size) != 1) {
      const int error = SSL_get_error(ssl_.get(), 0);
      if (error == SSL_ERROR_ZERO_RETURN || error == SSL_ERROR_SYSCALL) return {};
      throw std::runtime_error("receive: " + Error());
    }
    bytes.resize(size);
    return bytes;
  }
  // The next MessagePack value.
  Json Read() {
    while (true) {
      size_t size = 0;
      if (msgpack_io::CheckValue(in_, 64, 1u << 30, &size) == msgpack_io::CheckResult::kOk) {
        Json message = Unpacked(std::string_view(in_).substr(0, size));
        in_.erase(0, size);
        return message;
      }
      const std::string more = Receive();
      if (more.empty()) throw std::runtime_error("the server has closed the connection");
      in_ += more;
    }
  }
  Answer Call(std::string_view method, const Json& params) {
    Send(Request(7, method, params));
    const Json answer = Read();
    return {answer.at(2), answer.at(3)};
  }

  ClientSocket& socket() { return socket_; }
  bool resumed() const { return SSL_session_reused(ssl_.get()) == 1; }
  std::string protocol() const {
    const unsigned char* name = nullptr;
    unsigned int size = 0;
    SSL_get0_alpn_selected(ssl_.get(), &name, &size);
    return {reinterpret_cast<const char*>(name), size};
  }
  // Changes its keys so many times, and says nothing else.
  void ChangeKeys(int times) {
    for (int i = 0; i < times; ++i) {
      SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_NOT_REQUESTED);
      SSL_do_handshake(ssl_.get());
    }
  }
  // To be freed by the caller. Of TLS 1.3 it is there once something was read.
  SSL_SESSION* session() { return SSL_get1_session(ssl_.get()); }
  // The server's certificate.
  std::string peer_common_name() const {
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(
        SSL_get1_peer_certificate(ssl_.get()), &X509_free);
    char name[256] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, name,
                              sizeof name);
    return name;
  }

 private:
  void SSL_set1_ip(const Endpoint& endpoint) {
    const std::string text = endpoint.ToString();
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()),
                                  text.substr(0, text.rfind(':')).c_str());
  }
  static std::string Error() {
    const unsigned long code = ERR_get_error();
    ERR_clear_error();
    const char* const reason = ERR_reason_error_string(code);
    return reason == nullptr ? "closed" : reason;
  }

  ClientSocket socket_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
  std::string in_;
};

}  // namespace tokend::testing
