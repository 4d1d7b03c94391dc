// TLS without I/O: two sessions, and the bytes between them in the test's hands.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "protocol/tls.h"
#include "tests/support/certificates.h"
#include "tests/support/temp_dir.h"

namespace tokend {
namespace {

using testing::CertificateAuthority;
using testing::CertificateFiles;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using Result = TlsSession::Result;

constexpr size_t kRecordBytes = 16 << 10;

// Everything that `to` can open of what `from` has sent, in pieces of so many bytes; and how it
// ended.
Result Carry(TlsSession* from, TlsSession* to, size_t piece, std::string* opened) {
  const std::string wire = std::move(from->output());
  from->output().clear();
  Result result = Result::kNeedMore;
  for (size_t at = 0; at < wire.size(); at += piece) {
    to->Receive(std::string_view(wire).substr(at, piece));
    do {
      std::string plain(kRecordBytes, '\0');
      size_t size = 0;
      result = to->Open(plain.data(), plain.size(), &size);
      opened->append(plain, 0, size);
    } while (result == Result::kData);
    if (result != Result::kNeedMore) break;
  }
  return result;
}

class TlsSessionTest : public ::testing::Test {
 protected:
  TlsSessionTest()
      : authority_(dir_.path(), "authority"),
        server_files_(authority_.Issue("server", "DNS:tokend.example,IP:127.0.0.1")) {
    server_options_.certificate_file = server_files_.certificate;
    server_options_.key_file = server_files_.key;
    client_options_.ca_file = authority_.file();
  }

  void Make(const std::string& host = "tokend.example") {
    std::shared_ptr<const TlsContext> server, client;
    Status status = TlsContext::MakeServer(server_options_, &server);
    ASSERT_TRUE(status.ok()) << status.message();
    status = TlsContext::MakeClient(client_options_, &client);
    ASSERT_TRUE(status.ok()) << status.message();
    server_ = std::make_unique<TlsSession>(server);
    client_ = std::make_unique<TlsSession>(client, host);
  }
  // Until neither has anything to say. The first result that is not kNeedMore.
  Result Talk(size_t piece = SIZE_MAX) {
    client_->Begin();
    return GoOn(piece);
  }
  Result GoOn(size_t piece = SIZE_MAX) {
    while (!client_->output().empty() || !server_->output().empty()) {
      if (const Result result = Carry(client_.get(), server_.get(), piece, &at_server_);
          result != Result::kNeedMore) {
        return result;
      }
      if (const Result result = Carry(server_.get(), client_.get(), piece, &at_client_);
          result != Result::kNeedMore) {
        return result;
      }
    }
    return Result::kNeedMore;
  }

  TempDir dir_;
  CertificateAuthority authority_;
  CertificateFiles server_files_;
  TlsServerOptions server_options_{};
  TlsClientOptions client_options_{};
  std::unique_ptr<TlsSession> server_, client_;
  std::string at_server_, at_client_;
};

TEST_F(TlsSessionTest, BytesGoBothWays) {
  for (const size_t piece : {SIZE_MAX, size_t{1}, size_t{7}}) {
    at_server_ = at_client_ = "";
    Make();
    EXPECT_EQ(Talk(piece), Result::kNeedMore);
    ASSERT_TRUE(client_->established());
    ASSERT_TRUE(server_->established());
    EXPECT_FALSE(server_->resumed());
    EXPECT_THAT(server_->PeerNames(), IsEmpty());
    EXPECT_THAT(client_->PeerNames(), ElementsAre("tokend.example"));
    ASSERT_TRUE(client_->Seal("question"));
    const std::string long_answer(100'000, 'a');
    ASSERT_TRUE(server_->Seal(long_answer));
    EXPECT_EQ(GoOn(piece), Result::kNeedMore);
    EXPECT_EQ(at_server_, "question");
    EXPECT_EQ(at_client_, long_answer);
    client_->End();
    EXPECT_EQ(GoOn(piece), Result::kEnd);
    // One side has ended; the other may still speak.
    ASSERT_TRUE(server_->Seal("last"));
    server_->End();
    EXPECT_EQ(GoOn(piece), Result::kEnd);
    EXPECT_EQ(at_client_, long_answer + "last");
  }
}

TEST_F(TlsSessionTest, WhatIsSealedCannotBeRead) {
  Make();
  Talk();
  ASSERT_TRUE(client_->Seal("token-in-clear"));
  EXPECT_EQ(client_->output().find("token-in-clear"), std::string::npos);
}

TEST_F(TlsSessionTest, AServerOfAnotherNameIsRefused) {
  for (const char* host : {"other.example", "127.0.0.2", "::1"}) {
    Make(host);
    EXPECT_EQ(Talk(), Result::kFailed) << host;
    EXPECT_THAT(client_->error(), StartsWith("the peer's certificate: ")) << host;
    EXPECT_FALSE(client_->established());
    // It is told; and has sent nothing that it could not take back.
    EXPECT_EQ(GoOn(), Result::kFailed);
    EXPECT_FALSE(server_->established());
  }
  Make("127.0.0.1");
  EXPECT_EQ(Talk(), Result::kNeedMore);
  EXPECT_TRUE(client_->established());
  client_options_.server_name = "tokend.example";
  Make("whatever.example");
  EXPECT_EQ(Talk(), Result::kNeedMore);
  EXPECT_TRUE(client_->established());
}

TEST_F(TlsSessionTest, AServerOfAnotherAuthorityIsRefused) {
  CertificateAuthority other(dir_.path(), "other");
  client_options_.ca_file = other.file();
  Make();
  EXPECT_EQ(Talk(), Result::kFailed);
  EXPECT_THAT(client_->error(), HasSubstr("certificate"));
  client_options_.ca_file = {};  // nor does the system trust it
  Make();
  EXPECT_EQ(Talk(), Result::kFailed);
}

TEST_F(TlsSessionTest, ACertificateSaysWhoTheClientIs) {
  server_options_.client_ca_file = authority_.file();
  const auto names = [&](const CertificateFiles& files) {
    client_options_.certificate_file = files.certificate;
    client_options_.key_file = files.key;
    Make();
    EXPECT_EQ(Talk(), Result::kNeedMore);
    EXPECT_TRUE(server_->established());
    return server_->PeerNames();
  };
  EXPECT_THAT(names(authority_.Issue("gateway", "")), ElementsAre("gateway"));
  // With alternative names the common name is none: it is free text.
  EXPECT_THAT(names(authority_.Issue("admin",
                                     "DNS:gateway.example,URI:spiffe://a/b,email:a@b.c,"
                                     "IP:10.0.0.1")),
              ElementsAre("gateway.example", "spiffe://a/b", "a@b.c"));
  EXPECT_THAT(names(authority_.Issue("admin", "IP:10.0.0.1")), IsEmpty());
}

TEST_F(TlsSessionTest, AClientMayHaveNoCertificateUnlessItMust) {
  server_options_.client_ca_file = authority_.file();
  Make();
  EXPECT_EQ(Talk(), Result::kNeedMore);
  EXPECT_THAT(server_->PeerNames(), IsEmpty());
  server_options_.client_certificate_required = true;
  Make();
  EXPECT_EQ(Talk(), Result::kFailed);
  EXPECT_EQ(server_->error(), "peer did not return a certificate");
  EXPECT_FALSE(server_->established());
}

TEST_F(TlsSessionTest, ACertificateOfAnotherAuthorityIsRefused) {
  CertificateAuthority other(dir_.path(), "other");
  const CertificateFiles files = other.Issue("gateway", "");
  server_options_.client_ca_file = authority_.file();
  client_options_.certificate_file = files.certificate;
  client_options_.key_file = files.key;
  Make();
  EXPECT_EQ(Talk(), Result::kFailed);
  EXPECT_THAT(server_->error(), StartsWith("the peer's certificate: "));
  EXPECT_FALSE(server_->established());
}

TEST_F(TlsSessionTest, ABitThatWasChangedIsFound) {
  Make();
  Talk();
  ASSERT_TRUE(client_->Seal("question"));
  client_->output().back() ^= 1;
  EXPECT_EQ(GoOn(), Result::kFailed);
  EXPECT_EQ(at_server_, "");
  EXPECT_NE(server_->error(), "");
}

TEST_F(TlsSessionTest, WhatIsNoTlsFails) {
  Make();
  client_->output() = "GET / HTTP/1.1\r\n\r\n";
  EXPECT_EQ(GoOn(), Result::kFailed);
  EXPECT_EQ(server_->error(), "http request");
}

TEST_F(TlsSessionTest, FilesThatCannotBeUsedAreNamed) {
  std::shared_ptr<const TlsContext> context;
  const auto error_of = [&](auto change) {
    TlsServerOptions options = server_options_;
    change(&options);
    const Status status = TlsContext::MakeServer(options, &context);
    EXPECT_FALSE(status.ok());
    return status.message();
  };
  const std::string none = dir_.path() + "/none";
  const std::string text = dir_.path() + "/text";
  std::ofstream(text) << "no certificate\n";
  const CertificateFiles other = authority_.Issue("other", "");
  EXPECT_EQ(error_of([&](TlsServerOptions* o) { o->certificate_file = none; }),
            "tls_certificate_file: " + none + ": No such file or directory");
  EXPECT_EQ(error_of([&](TlsServerOptions* o) { o->certificate_file = text; }),
            "tls_certificate_file: " + text + ": no start line");
  EXPECT_EQ(error_of([&](TlsServerOptions* o) { o->key_file = none; }),
            "tls_key_file: " + none + ": No such file or directory");
  EXPECT_EQ(error_of([&](TlsServerOptions* o) { o->key_file = other.key; }),
            "tls_key_file: " + other.key + ": key values mismatch");
  // Of another kind.
  const std::string rsa = dir_.path() + "/rsa.key";
  {
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_RSA_gen(2048),
                                                                  &EVP_PKEY_free);
    const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(rsa.c_str(), "w"), &std::fclose);
    ASSERT_EQ(PEM_write_PrivateKey(file.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr),
              1);
  }
  EXPECT_THAT(error_of([&](TlsServerOptions* o) { o->key_file = rsa; }),
              StartsWith("tls_key_file: " + rsa + ": "));
  EXPECT_EQ(error_of([&](TlsServerOptions* o) { o->client_ca_file = text; }),
            "tls_client_ca_file: " + text + ": no start line");
  TlsClientOptions client;
  client.ca_file = none;
  EXPECT_THAT(TlsContext::MakeClient(client, &context).message(), StartsWith("ca_file: " + none));
  client = {};
  client.certificate_file = other.certificate;
  EXPECT_EQ(TlsContext::MakeClient(client, &context).message(),
            "certificate_file and key_file go together");
}

}  // namespace
}  // namespace tokend
