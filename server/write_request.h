// A request whose Mutations are on their way through the Committer.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/completion.h"
#include "server/connection.h"
#include "server/context.h"
#include "server/pending_request.h"
#include "server/space.h"
#include "storage/store.h"

namespace tokend {

class WriteRequest : public Submission, public Completion {
 public:
  // Writes the result of the outcomes, which are without error unless elements_stand_alone.
  using EncodeResult = void (*)(const WriteRequest& request, msgpack_io::Writer& out);

  WriteRequest(const Call& call, EncodeResult encode)
      : request_(call),
        encode_(encode),
        owners_(call.connection.caller().owners()),
        origin_(call.connection.origin()) {}
  ~WriteRequest() override;

  // Adds a Mutation and gives its operation to fill in.
  template <typename Operation>
  Operation& Add(std::string_view namespace_name) {
    Mutation& mutation = mutations.emplace_back();
    mutation.namespace_name = std::string(namespace_name);
    mutation.owners = owners_;
    mutation.origin = origin_;
    return mutation.op.template emplace<Operation>();
  }

  // Loop thread: hands it to the Store, or answers at once that it cannot.
  static void Submit(Call& call, std::unique_ptr<WriteRequest> request);

  // Committer's thread.
  void Done(std::unique_ptr<Submission> self) override;
  // Loop thread.
  void OnLoop(Loop& loop) override;
  // Loop thread: `connection` is null where it is gone.
  void AnswerOn(Loop& loop, Connection* connection);

  // issue and rotate: the token, shown once in the answer.
  Secret issued_token;
  // insert_many: its elements succeed or fail each for itself. An error for each that did not
  // decode, kOk for those that became Mutations.
  bool elements_stand_alone = false;
  std::vector<Status> element_errors;
  // import_begin: for the rows that will come.
  OpenImports* opens_import = nullptr;
  // import_end: no rows will come any more.
  OpenImports* ends_import = nullptr;
  // rotate: was_live == false is an error.
  bool must_be_live = false;

 private:
  Status FirstError() const;

  PendingRequest request_;
  EncodeResult encode_;
  const std::vector<std::string> owners_;  // whose tokens the caller manages
  const std::shared_ptr<const Origin> origin_;
};

// How tokens of a namespace become keys: by SHA-256 in one that does not exist, since that is what
// the first insert into it makes it.
Space SpaceOf(const Call& call, std::string_view namespace_name);

// The key of a token, or why it cannot have one.
Status MakeKey(const Call& call, const TokenRef& token, std::string_view namespace_name,
               TokenKey* key);

// The token as its namespace keeps it sealed; nothing where it does not, or where the token was
// given as its key. Whatever the error: the token is not to be taken, since it could not be read
// back.
Status SealToken(const Call& call, const TokenRef& token, std::string_view namespace_name,
                 const TokenKey& key, std::string* sealed);

// The scheme as a Mutation states it: none where the token was given as its key.
std::optional<DigestScheme> StatedScheme(const TokenRef& token, DigestScheme scheme);

}  // namespace tokend
