// A client of the model test: asks at random, several requests at a time, and notes when it asked
// and what came back.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "client/client.h"
#include "tests/model/journal.h"
#include "tests/model/operation.h"
#include "tests/model/token_pool.h"

namespace tokend::testing {

// What the clients of a round share.
struct ModelWorld {
  Journal* journal = nullptr;
  TokenPool* pool = nullptr;
  std::vector<std::string> addresses;
  // From this moment on the server is as good as gone, and its answers mean nothing; 0 = it is not.
  std::atomic<uint64_t> cut_at{0};
  std::atomic<bool> import_is_open{false};  // one at a time, so that a token's state tells of one
  bool imports = true;
  bool may_be_unavailable = false;  // validate, while the server loads or its clock went back
  bool is_clock_ahead = false;      // wrongly, so that nobody may have the disk believe it
};

class ModelClient {
 public:
  ModelClient(ModelWorld* world, uint64_t number, uint64_t seed)
      : world_(*world), number_(number), random_(seed) {}

  // So many turns, or until the server is gone.
  void Run(int turns);
  // Asks for everything there is, with nothing under way but this.
  void Audit();

  std::deque<Operation>& operations() { return operations_; }

 private:
  uint64_t Below(uint64_t n) { return random_() % n; }
  bool OneIn(uint64_t n) { return Below(n) == 0; }

  bool Connect();
  void Turn();
  void Greet();
  void Request();
  void Import();
  void Settle();  // waits for what is under way

  Operation* Begin(Operation::Kind kind, const std::string& ns, const std::string& id);
  template <class T, class Take>
  void Track(client::Pending<T> pending, std::vector<Operation*> operations, Take take);
  bool HasAnswer(const client::Error* error, const std::vector<Operation*>& operations);

  std::string DrawNamespace();
  client::Token Present(const PoolToken& token);
  TokenState DrawFields();
  std::optional<uint64_t> DrawExpiry();
  client::ListRequest DrawFilters(const std::string& ns);
  client::InsertRequest DrawInsert(const PoolToken& token, Operation** operation);

  void Insert(const PoolToken& token);
  void InsertAndRevoke(const PoolToken& token);
  void InsertMany(const std::string& ns);
  void Issue(const std::string& ns);
  void Rotate(const PoolToken& token);
  void Revoke(const PoolToken& token);
  void RevokeOwner(const std::string& ns);
  void AskWhetherItHolds(Operation* revoke, const PoolToken& token);
  void Extend(const PoolToken& token);
  void Update(const PoolToken& token);
  void Purge(const std::string& ns);
  void Validate(const PoolToken& token);
  void ValidateMany(const std::string& ns, const std::vector<PoolToken>& tokens);
  void Get(const PoolToken& token);
  void List(const std::string& ns, client::ListRequest request);
  void Count(const std::string& ns, client::ListRequest request);

  ModelWorld& world_;
  const uint64_t number_;
  std::mt19937_64 random_;
  std::vector<client::Client> connections_;
  size_t connection_ = 0;
  bool gone_ = false;
  std::string presented_;                     // the bytes of the last token presented
  std::vector<std::function<void()>> waits_;  // of what is under way, in the order sent
  std::deque<Operation> operations_;          // addresses stay
};

}  // namespace tokend::testing
