#include "server/validate_batch.h"

#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "server/answers.h"
#include "server/completion.h"
#include "server/connection.h"
#include "server/dispatcher.h"
#include "server/loop.h"
#include "server/pending_request.h"
#include "server/worker_pool.h"

namespace tokend {
namespace {

// Look-ups that are made together: enough to hide memory's latency, few enough to stay in cache.
constexpr size_t kFindMax = 256;
// A batch that a large validate_many has grown is given back.
constexpr size_t kLookupsKept = 4 * kFindMax;

Status StillLoading() {
  return Status(ErrorCode::kUnavailable,
                "token: cannot be judged yet, since the server is still loading; retry");
}

void Find(Dispatcher& dispatcher, std::span<Lookup> lookups) {
  const uint64_t now_ms = dispatcher.server().clock.NowMs();
  while (!lookups.empty()) {
    const size_t size = std::min(lookups.size(), kFindMax);
    dispatcher.reader().Find(lookups.first(size), now_ms);
    lookups = lookups.subspan(size);
  }
}

void CountVerdict(Dispatcher& dispatcher, Verdict verdict) {
  dispatcher.loop().counters().verdicts[static_cast<size_t>(verdict)].Add();
}

// Validates of which memory could not say all, mostly because the store is loading. The disk is
// asked on a worker thread, and memory again before the answer, since a revoke may have come in
// between: memory's word wins if it has one.
class DiskValidate final : public Job, public Completion {
 public:
  struct Element {
    std::string known;  // encoded; empty = the disk is asked
    TokenKey key;
    Store::DiskVerdict disk;
    Status status;
  };

  DiskValidate(Connection& connection, const RequestTag& tag, bool is_many, Store& store,
               std::span<const Lookup> lookups)
      : request_(connection, tag), store_(store), is_many_(is_many) {
    elements_.resize(lookups.size());
    for (size_t i = 0; i < lookups.size(); ++i) {
      namespace_id_ = lookups[i].namespace_id;
      elements_[i].key = lookups[i].key;
      if (lookups[i].verdict == Verdict::kUnavailable) continue;
      msgpack_io::Writer writer(&elements_[i].known);
      WriteVerdict(lookups[i], &writer);
    }
  }

  void Run(std::unique_ptr<Job> self) override {
    for (Element& element : elements_) {
      if (!element.known.empty()) continue;
      element.status = store_.ValidateFromDisk(namespace_id_, element.key, &element.disk);
    }
    (void)self.release();
    request_.Post(std::unique_ptr<Completion>(this));
  }

  void OnLoop(Loop& loop) override {
    Connection* connection = request_.Return(loop);
    if (connection == nullptr) return;
    Dispatcher& dispatcher = loop.dispatcher();
    std::vector<Lookup> lookups;
    for (const Element& element : elements_) {
      if (!element.known.empty()) continue;
      Lookup& lookup = lookups.emplace_back();
      lookup.key = element.key;
      lookup.namespace_id = namespace_id_;
    }
    Find(dispatcher, lookups);
    if (is_many_) {
      connection->Answer(request_.tag(), [&](msgpack_io::Writer& out) {
        out.ArrayHeader(static_cast<uint32_t>(elements_.size()));
        auto lookup = lookups.begin();
        for (const Element& element : elements_) {
          if (element.known.empty()) {
            WriteElement(dispatcher, element, *lookup++, &out);
          } else {
            out.Raw(element.known);
          }
        }
      });
    } else if (Settled(elements_[0], lookups[0]) == Verdict::kUnavailable) {
      CountVerdict(dispatcher, Verdict::kUnavailable);
      connection->AnswerError(request_.tag(), StillLoading());
    } else {
      connection->Answer(request_.tag(), [&](msgpack_io::Writer& out) {
        WriteElement(dispatcher, elements_[0], lookups[0], &out);
      });
    }
    dispatcher.reader().Quiesce();
  }

 private:
  static Verdict Settled(const Element& element, const Lookup& lookup) {
    if (lookup.verdict != Verdict::kUnavailable) return lookup.verdict;
    return element.status.ok() ? element.disk.verdict : Verdict::kUnavailable;
  }

  static void WriteElement(Dispatcher& dispatcher, const Element& element, const Lookup& lookup,
                           msgpack_io::Writer* out) {
    CountVerdict(dispatcher, Settled(element, lookup));
    if (lookup.verdict == Verdict::kUnavailable && element.status.ok()) {
      WriteDiskVerdict(element.disk, out);
    } else {
      WriteVerdict(lookup, out);
    }
  }

  PendingRequest request_;
  Store& store_;
  bool is_many_;
  NamespaceId namespace_id_ = 0;
  std::vector<Element> elements_;
};

// Whether it could be handed to the worker pool.
bool AskDisk(Connection& connection, const RequestTag& tag, bool is_many,
             std::span<const Lookup> lookups) {
  ServerContext& server = connection.loop().server();
  std::unique_ptr<Job> job =
      std::make_unique<DiskValidate>(connection, tag, is_many, server.store, lookups);
  if (!server.workers.TrySubmit(job)) return false;
  connection.RequestHandedOn();
  return true;
}

}  // namespace

void ValidateBatch::Digest(Digester& digester) {
  std::span<const Undigested> rest = undigested_;
  for (; rest.size() >= 2; rest = rest.subspan(2)) {
    digester.Sha256Pair(rest[0].part, rest[1].part, &lookups_[rest[0].lookup].key,
                        &lookups_[rest[1].lookup].key);
  }
  if (!rest.empty()) lookups_[rest[0].lookup].key = digester.Sha256(rest[0].part);
  undigested_.clear();
  for (const OtherUndigested& one : others_) {
    lookups_[one.lookup].key = digester.Digest(one.scheme, one.token.bytes(), one.secret.bytes());
  }
  others_.clear();
}

// Answers the requests of a batch, one connection after the other. Short answers are put together
// here and handed to their connection in one piece.
class ValidateBatch::Answerer {
 public:
  explicit Answerer(Dispatcher& dispatcher) : dispatcher_(dispatcher) {}
  ~Answerer() {
    HandOver();
    for (size_t i = 0; i < verdicts_.size(); ++i) {
      if (verdicts_[i] != 0) dispatcher_.loop().counters().verdicts[i].Add(verdicts_[i]);
    }
  }
  Answerer(const Answerer&) = delete;
  Answerer& operator=(const Answerer&) = delete;

  void Answer(const Request& request, std::span<const Lookup> lookups) {
    if (connection_ == nullptr || request.from != from_) Turn(request.from);
    if (connection_ == nullptr) return;
    if (!connection_->is_rpc() || request.is_many || request.tag.is_notification ||
        !HasShortAnswer(lookups[0]) || lookups[0].verdict == Verdict::kUnavailable) {
      HandOver();
      AnswerAtLength(request, lookups);
      return;
    }
    Count(lookups[0].verdict);
    if (bytes_.size() - size_ < kShortAnswerBytes) HandOver();
    char* const end = WriteShortAnswer(request.tag.msgid, lookups[0], bytes_.data() + size_);
    size_ = static_cast<size_t>(end - bytes_.data());
  }

 private:
  // To the next connection; null if that one is gone.
  void Turn(StreamRef to) {
    HandOver();
    from_ = to;
    connection_ = dispatcher_.loop().FindConnection(to);
    if (connection_ != nullptr) connection_->ValidatesAnswered();
  }

  void HandOver() {
    if (size_ != 0) connection_->output().append(bytes_.data(), size_);
    size_ = 0;
  }

  void Count(Verdict verdict) { ++verdicts_[static_cast<size_t>(verdict)]; }

  void AnswerAtLength(const Request& request, std::span<const Lookup> lookups) {
    const bool unavailable = std::any_of(lookups.begin(), lookups.end(), [](const Lookup& lookup) {
      return lookup.verdict == Verdict::kUnavailable;
    });
    if (unavailable && request.may_ask_disk && !request.tag.is_notification &&
        AskDisk(*connection_, request.tag, request.is_many, lookups)) {
      for (const Lookup& lookup : lookups) {
        if (lookup.verdict != Verdict::kUnavailable) Count(lookup.verdict);
      }
      return;
    }
    for (const Lookup& lookup : lookups) Count(lookup.verdict);
    if (request.tag.is_notification) return;
    if (unavailable && !request.is_many) {
      connection_->AnswerError(request.tag, StillLoading());
      return;
    }
    connection_->Answer(request.tag, [&](msgpack_io::Writer& out) {
      if (request.is_many) out.ArrayHeader(static_cast<uint32_t>(lookups.size()));
      WriteVerdicts(lookups, out);
    });
  }

  void WriteVerdicts(std::span<const Lookup> lookups, msgpack_io::Writer& out) {
    char* const begin = bytes_.data();
    char* end = begin;
    const auto hand_over = [&] {
      out.Raw({begin, static_cast<size_t>(end - begin)});
      end = begin;
    };
    for (const Lookup& lookup : lookups) {
      if (HasShortAnswer(lookup)) {
        if (begin + bytes_.size() - end < ptrdiff_t{kShortAnswerBytes}) hand_over();
        end = WriteShortVerdict(lookup, end);
      } else {
        hand_over();
        WriteVerdict(lookup, &out);
      }
    }
    hand_over();
  }

  Dispatcher& dispatcher_;
  StreamRef from_;
  Connection* connection_ = nullptr;
  std::array<uint64_t, kVerdicts> verdicts_{};
  size_t size_ = 0;
  std::array<char, 4096> bytes_;
};

void ValidateBatch::Run(Dispatcher& dispatcher) {
  Digest(dispatcher.digester());
  Find(dispatcher, lookups_);
  for (const size_t lookup : unavailable_) lookups_[lookup].verdict = Verdict::kUnavailable;
  unavailable_.clear();
  {
    Answerer answerer(dispatcher);
    std::span<const Lookup> rest = lookups_;
    for (const Request& request : requests_) {
      answerer.Answer(request, rest.first(request.lookups));
      rest = rest.subspan(request.lookups);
    }
  }
  dispatcher.reader().Quiesce();
  Loop& loop = dispatcher.loop();
  loop.counters().validates.Add((uv_hrtime() - loop.turn_woke_ns()) / 1000, requests_.size());
  requests_.clear();
  lookups_.clear();
  if (lookups_.capacity() > kLookupsKept) {
    lookups_ = {};
    undigested_ = {};
  }
}

}  // namespace tokend
