// What a gateway does with the client library: example [ADDRESS].
//
// Issues a few tokens, validates them all at once on one connection, and takes them back.
#include <tokend/client.h>

#include <cstdio>
#include <string>
#include <vector>

namespace tc = tokend::client;

namespace {

int Fail(const char* what, const tc::Error& error) {
  std::fprintf(stderr, "%s: %s: %s\n", what, error.code.c_str(), error.message.c_str());
  return 1;
}

// Three answers, never two: a server that cannot say must not log people out.
const char* Answer(const tc::Result<tc::Verdict>& verdict) {
  if (!verdict) return "503 (no answer)";
  if (verdict->valid()) return "200";
  if (verdict->invalid()) return "401";
  return "503";
}

}  // namespace

int main(int argc, char** argv) {
  const char* address = argc > 1 ? argv[1] : "127.0.0.1:7717";
  tc::Result<tc::Client> client = tc::Client::Connect(address);
  if (!client) return Fail("connect", client.error());

  std::vector<std::string> tokens;
  for (const char* owner : {"alice", "bob", "carol"}) {
    tc::IssueRequest request;
    request.owner = owner;
    request.ttl_ms = 60'000;
    request.scopes = {"read"};
    tc::Result<tc::IssuedToken> issued = client->Issue(request);
    if (!issued) return Fail("issue", issued.error());
    tokens.push_back(issued->token);
  }
  tc::Result<bool> revoked = client->Revoke(tokens[1]);
  if (!revoked) return Fail("revoke", revoked.error());
  tokens.push_back("not-a-token-of-ours");

  // All questions first, then all answers: one round trip.
  std::vector<tc::Pending<tc::Verdict>> pending;
  for (const std::string& token : tokens) pending.push_back(client->SendValidate(token));
  for (tc::Pending<tc::Verdict>& one : pending) {
    tc::Result<tc::Verdict> verdict = one.Wait();
    std::string why = !verdict           ? verdict.error().message
                      : verdict->valid() ? verdict->owner.value_or("nobody")
                                         : verdict->reason;
    std::printf("%s %s\n", Answer(verdict), why.c_str());
  }

  for (const char* owner : {"alice", "carol"}) {
    tc::Result<uint64_t> count = client->RevokeOwner(owner);
    if (!count) return Fail("revoke_owner", count.error());
  }
  return 0;
}
