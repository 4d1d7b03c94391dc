#include "storage/write_queue.h"

#include <chrono>
#include <utility>

#include "storage/crash_point.h"

namespace tokend {
namespace {

size_t RecordBytes(const Record& record) {
  size_t bytes = sizeof(Record) + record.attributes.size() + record.source_id.size();
  if (record.owner) bytes += record.owner->size();
  if (record.name) bytes += record.name->size();
  for (const std::string& scope : record.scopes) bytes += sizeof(std::string) + scope.size();
  return bytes;
}

// About what it takes of memory while it waits.
size_t MutationBytes(const Mutation& mutation) {
  size_t bytes = sizeof(Mutation) + mutation.namespace_name.size();
  if (const auto* insert = std::get_if<InsertMutation>(&mutation.op)) {
    bytes += insert->attributes.size() + insert->sealed.size();
    if (insert->owner) bytes += insert->owner->size();
    if (insert->name) bytes += insert->name->size();
    for (const std::string& scope : insert->scopes) bytes += sizeof(std::string) + scope.size();
  } else if (const auto* rows = std::get_if<ImportRowsMutation>(&mutation.op)) {
    for (const ImportedRow& row : rows->rows) {
      bytes += RecordBytes(row.record) + row.sealed.size();
    }
  } else if (const auto* update = std::get_if<UpdateMutation>(&mutation.op)) {
    if (update->attributes) bytes += update->attributes->size();
    if (update->name) bytes += update->name->size();
    if (update->scopes) {
      for (const std::string& scope : *update->scopes) bytes += sizeof(std::string) + scope.size();
    }
  } else if (const auto* revoke_owner = std::get_if<RevokeOwnerMutation>(&mutation.op)) {
    bytes += revoke_owner->owner.size();
  } else if (const auto* begin = std::get_if<ImportBeginMutation>(&mutation.op)) {
    bytes += begin->source.size() + begin->position.size();
  }
  return bytes;
}

size_t MutationCount(const Submission& submission) {
  size_t count = 0;
  for (const Mutation& mutation : submission.mutations) {
    const auto* rows = std::get_if<ImportRowsMutation>(&mutation.op);
    count += rows != nullptr ? rows->rows.size() + 1 : 1;
  }
  return count;
}

}  // namespace

void WriteQueue::Deny(const Mutation& mutation, uint64_t ticket) {
  const auto* revoke = std::get_if<RevokeMutation>(&mutation.op);
  const auto* revoke_owner = std::get_if<RevokeOwnerMutation>(&mutation.op);
  if (revoke == nullptr && revoke_owner == nullptr) return;
  // Whose the token is, is known once it is planned.
  if (revoke != nullptr && !mutation.owners.empty()) return;
  const auto snapshot = parts_.namespaces->snapshot();
  const auto it = snapshot->find(mutation.namespace_name);
  if (it == snapshot->end()) return;
  const NamespaceId ns = it->second.id;
  // Noted first, done second: an insert that is about to become visible sees one or the other.
  if (revoke != nullptr) {
    parts_.denials->AddToken(ns, revoke->key, ticket);
    parts_.table->Deny(ns, revoke->key);
  } else {
    parts_.denials->AddOwner(ns, revoke_owner->owner, ticket);
    parts_.table->DenyOwner(ns, revoke_owner->owner);
  }
  TOKEND_CRASH_POINT("revoke.denied");
}

Status WriteQueue::Push(std::unique_ptr<Submission>& submission) {
  Item item;
  for (const Mutation& mutation : submission->mutations) item.bytes += MutationBytes(mutation);
  const size_t count = MutationCount(*submission);
  {
    const std::lock_guard lock(mutex_);
    // An empty queue takes anything: what is too large for the bounds must not starve.
    if (!items_.empty() &&
        (load_.mutations + count > mutations_max_ || load_.bytes + item.bytes > bytes_max_)) {
      return {ErrorCode::kBusy, "the write queue is full; retry"};
    }
    item.ticket = ++last_ticket_;
    load_.mutations += count;
    load_.bytes += item.bytes;
    for (const Mutation& mutation : submission->mutations) Deny(mutation, item.ticket);
    item.submission = std::move(submission);
    items_.push_back(std::move(item));
  }
  filled_.notify_one();
  return {};
}

std::vector<WriteQueue::Item> WriteQueue::Take(size_t mutations_max, size_t bytes_max,
                                               std::chrono::microseconds wait) {
  std::vector<Item> taken;
  std::unique_lock lock(mutex_);
  if (wait.count() != 0) {
    filled_.wait_for(lock, wait, [this] { return rung_ || !items_.empty(); });
  }
  rung_ = false;
  size_t mutations = 0;
  size_t bytes = 0;
  while (!items_.empty()) {
    const size_t count = MutationCount(*items_.front().submission);
    if (!taken.empty() &&
        (mutations + count > mutations_max || bytes + items_.front().bytes > bytes_max)) {
      break;
    }
    mutations += count;
    bytes += items_.front().bytes;
    load_.mutations -= count;
    load_.bytes -= items_.front().bytes;
    taken.push_back(std::move(items_.front()));
    items_.pop_front();
  }
  return taken;
}

void WriteQueue::Ring() {
  {
    const std::lock_guard lock(mutex_);
    rung_ = true;
  }
  filled_.notify_one();
}

WriteQueue::Load WriteQueue::load() const {
  const std::lock_guard lock(mutex_);
  return load_;
}

}  // namespace tokend
