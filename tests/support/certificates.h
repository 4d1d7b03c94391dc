// Certificates for tests: an authority, and what it issues, as PEM files.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>

namespace tokend::testing {

struct CertificateFiles {
  std::string certificate, key;
};

class CertificateAuthority {
 public:
  // Files go into `directory`, as NAME.pem and NAME.key.
  CertificateAuthority(std::string directory, const std::string& name)
      : directory_(std::move(directory)), name_(name), key_(NewKey()) {
    certificate_ = NewCertificate(name, key_.get());
    Extend(NID_basic_constraints, "critical,CA:TRUE");
    Extend(NID_key_usage, "critical,keyCertSign,cRLSign");
    Sign(certificate_.get());
    authority_ = std::move(certificate_);
    Write(name, authority_.get(), key_.get());
  }

  const std::string& file() const { return file_; }

  // `alternatives` as openssl.cnf has them: "DNS:a.example,IP:127.0.0.1"; empty = none.
  CertificateFiles Issue(const std::string& common_name, const std::string& alternatives,
                         long lifetime_seconds = 24 * 3600) {
    const KeyPtr key = NewKey();
    certificate_ = NewCertificate(common_name, key.get());
    X509_gmtime_adj(X509_getm_notAfter(certificate_.get()), lifetime_seconds);
    if (!alternatives.empty()) Extend(NID_subject_alt_name, alternatives);
    Sign(certificate_.get());
    const std::string base = common_name + "-" + std::to_string(serial_);
    return Write(base, certificate_.get(), key.get());
  }

 private:
  using KeyPtr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
  using CertificatePtr = std::unique_ptr<X509, decltype(&X509_free)>;

  static void Check(bool done) {
    if (!done) throw std::runtime_error("a certificate cannot be made");
  }
  static KeyPtr NewKey() {
    KeyPtr key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
    Check(key != nullptr);
    return key;
  }
  CertificatePtr NewCertificate(const std::string& common_name, EVP_PKEY* key) {
    CertificatePtr made(X509_new(), &X509_free);
    X509_set_version(made.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made.get()), ++serial_);
    // Tests pass their time to the server, but OpenSSL has the machine's.
    X509_gmtime_adj(X509_getm_notBefore(made.get()), -24 * 3600);
    X509_gmtime_adj(X509_getm_notAfter(made.get()), 24 * 3600);
    X509_set_pubkey(made.get(), key);
    AddName(X509_get_subject_name(made.get()), common_name);
    AddName(X509_get_issuer_name(made.get()), name_);
    return made;
  }
  static void AddName(X509_NAME* name, const std::string& common_name) {
    Check(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                     reinterpret_cast<const unsigned char*>(common_name.c_str()),
                                     -1, -1, 0) == 1);
  }
  void Extend(int nid, const std::string& value) {
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
    Check(extension != nullptr);
    X509_add_ext(certificate_.get(), extension, -1);
    X509_EXTENSION_free(extension);
  }
  void Sign(X509* certificate) { Check(X509_sign(certificate, key_.get(), EVP_sha256()) != 0); }
  CertificateFiles Write(const std::string& base, X509* certificate, EVP_PKEY* key) {
    const CertificateFiles files{directory_ + "/" + base + ".pem",
                                 directory_ + "/" + base + ".key"};
    const auto write = [](const std::string& path, const auto& what) {
      const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "w"), &std::fclose);
      Check(file != nullptr && what(file.get()) == 1);
    };
    write(files.certificate, [&](FILE* file) { return PEM_write_X509(file, certificate); });
    write(files.key, [&](FILE* file) {
      return PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
    });
    if (file_.empty()) file_ = files.certificate;
    return files;
  }

  const std::string directory_, name_;
  KeyPtr key_;
  CertificatePtr authority_{nullptr, &X509_free}, certificate_{nullptr, &X509_free};
  std::string file_;
  long serial_ = 0;
};

}  // namespace tokend::testing
