#include "protocol/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <climits>
#include <cstring>
#include <new>
#include <stdexcept>
#include <utility>

namespace tokend {
namespace {

// Keeps resumed sessions of different uses apart; without it none that has shown a certificate can
// be resumed.
constexpr unsigned char kSessionContext[] = "tokend";

// What OpenSSL has to say of a failure in this thread: the first is the cause of those after it.
std::string FirstError(std::string_view otherwise) {
  const unsigned long code = ERR_peek_error();
  ERR_clear_error();
  if (code == 0) return std::string(otherwise);
  if (ERR_SYSTEM_ERROR(code)) return std::strerror(static_cast<int>(ERR_GET_REASON(code)));
  const char* const reason = ERR_reason_error_string(code);
  if (reason != nullptr) return reason;
  char text[256];
  ERR_error_string_n(code, text, sizeof text);
  return text;
}

Status Wrong(std::string_view option, const std::string& file) {
  return Status(ErrorCode::kBadParams,
                std::string(option) + ": " + file + ": " + FirstError("cannot be used"));
}

// A key with a passphrase is refused: nobody is there to be asked for it.
int NoPassphrase(char*, int, int, void*) { return 0; }

Status UseCertificate(SSL_CTX* context, const std::string& certificate_file,
                      const std::string& key_file, std::string_view certificate_option,
                      std::string_view key_option) {
  SSL_CTX_set_default_passwd_cb(context, &NoPassphrase);
  if (SSL_CTX_use_certificate_chain_file(context, certificate_file.c_str()) != 1) {
    return Wrong(certificate_option, certificate_file);
  }
  // Of keys of another kind than the certificate's only the second says that they do not belong
  // together.
  if (SSL_CTX_use_PrivateKey_file(context, key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context) != 1) {
    return Wrong(key_option, key_file);
  }
  return Status::Ok();
}

// Of what the client offers, the one protocol of HTTP that is spoken here. Others are passed over:
// MessagePack-RPC has no name.
int ChooseProtocol(SSL*, const unsigned char** chosen, unsigned char* chosen_size,
                   const unsigned char* offered, unsigned int offered_size, void*) {
  constexpr std::string_view kHttp = "http/1.1";
  for (unsigned int i = 0; i < offered_size && offered[i] <= offered_size - i - 1;
       i += offered[i] + 1u) {
    if (std::string_view(reinterpret_cast<const char*>(offered + i + 1), offered[i]) != kHttp) {
      continue;
    }
    *chosen = offered + i + 1;
    *chosen_size = offered[i];
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_NOACK;
}

SSL_CTX* NewContext(const SSL_METHOD* method) {
  SSL_CTX* const context = SSL_CTX_new(method);
  if (context == nullptr) throw std::bad_alloc();
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                   SSL_OP_CLEANSE_PLAINTEXT);
  SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20");
  // An idle connection has no buffers.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
  return context;
}

bool IsAddress(const std::string& host) {
  in6_addr address;
  return inet_pton(AF_INET, host.c_str(), &address) == 1 ||
         inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

void AddName(const ASN1_STRING* text, std::vector<std::string>* names) {
  const auto* const bytes = reinterpret_cast<const char*>(ASN1_STRING_get0_data(text));
  const auto size = static_cast<size_t>(ASN1_STRING_length(text));
  // One with a zero byte would be read as another name by many.
  if (size == 0 || std::memchr(bytes, 0, size) != nullptr) return;
  names->emplace_back(bytes, size);
}

}  // namespace

// The wire, as OpenSSL sees it: a session's input_ and output_.
struct TlsBio {
  static TlsSession& Of(BIO* bio) { return *static_cast<TlsSession*>(BIO_get_data(bio)); }

  static int Read(BIO* bio, char* to, int size) {
    std::string_view& input = Of(bio).input_;
    BIO_clear_retry_flags(bio);
    if (input.empty() || Of(bio).messages_ > TlsSession::kMessagesMax) {
      BIO_set_retry_read(bio);
      return -1;
    }
    const size_t read = std::min(input.size(), static_cast<size_t>(size));
    std::memcpy(to, input.data(), read);
    input.remove_prefix(read);
    return static_cast<int>(read);
  }
  static int Write(BIO* bio, const char* from, int size) {
    Of(bio).output_.append(from, static_cast<size_t>(size));
    return size;
  }
  static long Control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }
  static void OnMessage(int is_sent, int, int type, const void*, size_t, SSL*, void* session) {
    auto& self = *static_cast<TlsSession*>(session);
    if (is_sent == 0 && type == SSL3_RT_HANDSHAKE && self.established_) ++self.messages_;
  }
  static BIO_METHOD* Make() {
    BIO_METHOD* const method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "tokend");
    if (method == nullptr) throw std::bad_alloc();
    BIO_meth_set_read(method, &Read);
    BIO_meth_set_write(method, &Write);
    BIO_meth_set_ctrl(method, &Control);
    return method;
  }
  static const BIO_METHOD* Method() {
    static const std::unique_ptr<BIO_METHOD, decltype(&BIO_meth_free)> method(Make(),
                                                                              &BIO_meth_free);
    return method.get();
  }
};

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

Status TlsContext::MakeServer(const TlsServerOptions& options,
                              std::shared_ptr<const TlsContext>* context) {
  const std::shared_ptr<TlsContext> made(new TlsContext);
  made->is_server_ = true;
  SSL_CTX* const ctx = made->context_ = NewContext(TLS_server_method());
  if (options.only_1_3) SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
  Status status = UseCertificate(ctx, options.certificate_file, options.key_file,
                                 "tls_certificate_file", "tls_key_file");
  if (!status.ok()) return status;
  SSL_CTX_set_alpn_select_cb(ctx, &ChooseProtocol, nullptr);
  SSL_CTX_set_session_id_context(ctx, kSessionContext, sizeof kSessionContext - 1);
  // Tickets, whose keys are this context's: a session that was begun under an earlier certificate
  // or earlier rules is not resumed. One for each connection, which is what clients use.
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(ctx, 1);
  if (!options.client_ca_file.empty()) {
    STACK_OF(X509_NAME)* const names = SSL_load_client_CA_file(options.client_ca_file.c_str());
    if (names == nullptr || SSL_CTX_load_verify_file(ctx, options.client_ca_file.c_str()) != 1) {
      sk_X509_NAME_pop_free(names, X509_NAME_free);
      return Wrong("tls_client_ca_file", options.client_ca_file);
    }
    SSL_CTX_set_client_CA_list(ctx, names);  // takes them
    SSL_CTX_set_verify(
        ctx,
        SSL_VERIFY_PEER |
            (options.client_certificate_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
        nullptr);
  }
  *context = made;
  return Status::Ok();
}

Status TlsContext::MakeClient(const TlsClientOptions& options,
                              std::shared_ptr<const TlsContext>* context) {
  const std::shared_ptr<TlsContext> made(new TlsContext);
  made->server_name_ = options.server_name;
  SSL_CTX* const ctx = made->context_ = NewContext(TLS_client_method());
  if (options.ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(ctx);
  } else if (SSL_CTX_load_verify_file(ctx, options.ca_file.c_str()) != 1) {
    return Wrong("ca_file", options.ca_file);
  }
  SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, nullptr);
  if (options.certificate_file.empty() != options.key_file.empty()) {
    return Status(ErrorCode::kBadParams, "certificate_file and key_file go together");
  }
  if (!options.certificate_file.empty()) {
    Status status = UseCertificate(ctx, options.certificate_file, options.key_file,
                                   "certificate_file", "key_file");
    if (!status.ok()) return status;
  }
  *context = made;
  return Status::Ok();
}

TlsSession::TlsSession(std::shared_ptr<const TlsContext> context, const std::string& host)
    : context_(std::move(context)), ssl_(SSL_new(context_->context_)) {
  BIO* const bio = BIO_new(TlsBio::Method());
  if (ssl_ == nullptr || bio == nullptr) throw std::bad_alloc();
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);
  SSL_set_msg_callback(ssl_, &TlsBio::OnMessage);
  SSL_set_msg_callback_arg(ssl_, this);
  if (context_->is_server_) {
    SSL_set_accept_state(ssl_);
    return;
  }
  SSL_set_connect_state(ssl_);
  const std::string& name = context_->server_name_.empty() ? host : context_->server_name_;
  if (IsAddress(name)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_), name.c_str());
  } else {
    SSL_set_tlsext_host_name(ssl_, name.c_str());
    SSL_set1_host(ssl_, name.c_str());
  }
}

TlsSession::~TlsSession() { SSL_free(ssl_); }

void TlsSession::Begin() { (void)SSL_do_handshake(ssl_); }

TlsSession::Result TlsSession::Open(char* to, size_t size, size_t* opened) {
  *opened = 0;
  ERR_clear_error();  // another session's, which would be taken for this one's
  const int read = SSL_read_ex(ssl_, to, size, opened);
  if (!established_ && SSL_is_init_finished(ssl_) == 1) {
    established_ = true;
    if (resumed() && HasPeerExpired()) {
      error_ = "the peer's certificate: has expired since the session began";
      return Result::kFailed;
    }
  }
  if (read == 1) {
    messages_ = 0;
    return Result::kData;
  }
  if (messages_ > kMessagesMax) {
    error_ = "too many messages about the connection itself";
    return Result::kFailed;
  }
  return Failed(read);
}

// A ticket has the certificate as it was when it was looked at.
bool TlsSession::HasPeerExpired() const {
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(SSL_get1_peer_certificate(ssl_),
                                                                &X509_free);
  return certificate != nullptr &&
         X509_cmp_current_time(X509_get0_notAfter(certificate.get())) <= 0;
}

TlsSession::Result TlsSession::Failed(int returned) {
  switch (SSL_get_error(ssl_, returned)) {
    case SSL_ERROR_WANT_READ:
      return Result::kNeedMore;
    case SSL_ERROR_ZERO_RETURN:
      return Result::kEnd;
    default: {
      const long verdict = SSL_get_verify_result(ssl_);
      error_ = verdict == X509_V_OK ? FirstError("the connection broke")
                                    : std::string("the peer's certificate: ") +
                                          X509_verify_cert_error_string(verdict);
      ERR_clear_error();
      return Result::kFailed;
    }
  }
}

bool TlsSession::Seal(std::string_view plain) {
  ERR_clear_error();
  size_t written = 0;
  // Takes all of it: the wire does.
  if (plain.empty() || SSL_write_ex(ssl_, plain.data(), plain.size(), &written) == 1) return true;
  error_ = FirstError("cannot be encrypted");
  return false;
}

void TlsSession::End() {
  // After a failure OpenSSL wants no more of it.
  if (!established_ || !error_.empty()) return;
  ERR_clear_error();
  (void)SSL_shutdown(ssl_);
}

bool TlsSession::HasUnfinished() const { return SSL_has_pending(ssl_) == 1; }

bool TlsSession::resumed() const { return SSL_session_reused(ssl_) == 1; }

std::vector<std::string> TlsSession::PeerNames() const {
  std::vector<std::string> names;
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(SSL_get1_peer_certificate(ssl_),
                                                                &X509_free);
  if (certificate == nullptr || SSL_get_verify_result(ssl_) != X509_V_OK) return names;
  const std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> alternatives(
      static_cast<GENERAL_NAMES*>(
          X509_get_ext_d2i(certificate.get(), NID_subject_alt_name, nullptr, nullptr)),
      &GENERAL_NAMES_free);
  if (alternatives != nullptr) {
    for (int i = 0; i < sk_GENERAL_NAME_num(alternatives.get()); ++i) {
      const GENERAL_NAME* const one = sk_GENERAL_NAME_value(alternatives.get(), i);
      if (one->type == GEN_DNS || one->type == GEN_URI || one->type == GEN_EMAIL) {
        AddName(one->d.ia5, &names);
      }
    }
    return names;
  }
  const X509_NAME* const subject = X509_get_subject_name(certificate.get());
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at >= 0) AddName(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)), &names);
  return names;
}

}  // namespace tokend
