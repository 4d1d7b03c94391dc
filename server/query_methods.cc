// get, list, count: what may read the disk.
#include <algorithm>
#include <optional>
#include <utility>

#include "protocol/params.h"
#include "protocol/record.h"
#include "server/connection.h"
#include "server/dispatcher.h"
#include "server/loop.h"
#include "server/query_job.h"
#include "server/write_request.h"

namespace tokend {
namespace {

bool IsAmong(const std::vector<std::string>& owners, const std::optional<std::string>& owner) {
  return owner && std::ranges::find(owners, *owner) != owners.end();
}

class GetJob final : public QueryJob {
 public:
  GetJob(const Call& call, const GetParams& params, std::optional<TokenKey> key)
      : QueryJob(call),
        server_(call.dispatcher.server()),
        namespace_name_(params.namespace_name),
        key_(key),
        id_(params.id),
        owners_(call.connection.caller().owners()) {}

 private:
  Status Answer(msgpack_io::Writer& out) override {
    std::optional<Record> record;
    Status status = key_ ? server_.store.Get(namespace_name_, *key_, &record)
                         : server_.store.GetById(namespace_name_, id_, &record);
    if (!status.ok()) return status;
    // To who does not manage it there is none.
    if (record && (owners_.empty() || IsAmong(owners_, record->owner))) {
      EncodeRecord(*record, server_.clock.NowMs(), &out);
    } else {
      out.Nil();
    }
    return status;
  }

  ServerContext& server_;
  std::string namespace_name_;
  std::optional<TokenKey> key_;
  TokenId id_;
  const std::vector<std::string> owners_;  // whose tokens the caller manages; empty = all
};

// Keeps a copy of the params, which the decoded ones point into.
class ListJob : public QueryJob {
 public:
  explicit ListJob(const Call& call)
      : QueryJob(call), server_(call.dispatcher.server()), encoded_(call.params) {}

  Status Decode(Status (*decode)(std::string_view, ListParams*)) {
    return decode(encoded_, &params_);
  }
  const ListParams& params() const { return params_; }

 protected:
  Status Answer(msgpack_io::Writer& out) override {
    ListPage page;
    if (Status status = server_.store.List(params_, &page); !status.ok()) return status;
    const uint64_t now_ms = server_.clock.NowMs();
    out.MapHeader(2);
    out.Str("items");
    out.ArrayHeader(static_cast<uint32_t>(page.records.size()));
    for (const Record& record : page.records) EncodeRecord(record, now_ms, &out);
    out.Str("cursor");
    if (page.cursor.empty()) {
      out.Nil();
    } else {
      out.Str(page.cursor);
    }
    return Status::Ok();
  }

  ServerContext& server_;
  ListParams params_;

 private:
  std::string encoded_;
};

class CountJob final : public ListJob {
 public:
  using ListJob::ListJob;

 private:
  Status Answer(msgpack_io::Writer& out) override {
    uint64_t count = 0;
    Status status = server_.store.Count(params_, &count);
    if (status.ok()) out.Uint(count);
    return status;
  }
};

template <typename SomeListJob>
void HandleFiltered(Call& call, Status (*decode)(std::string_view, ListParams*)) {
  auto job = std::make_unique<SomeListJob>(call);
  Status status = job->Decode(decode);
  if (status.ok()) status = call.Allow(job->params().namespace_name);
  if (status.ok()) status = call.AllowOwner(job->params().owner);
  if (!status.ok()) {
    call.connection.AnswerError(call.tag, status);
    return;
  }
  QueryJob::Submit(call, std::move(job));
}

}  // namespace

void QueryJob::Submit(Call& call, WorkerPool& pool, std::unique_ptr<QueryJob> query) {
  query->pool_ = &pool;
  std::unique_ptr<Job> job = std::move(query);
  if (pool.TrySubmit(job)) {
    call.connection.RequestHandedOn();
  } else {
    call.connection.AnswerError(
        call.tag,
        Status(ErrorCode::kBusy, "too many requests of this kind are waiting; retry later"));
  }
}

void QueryJob::Submit(Call& call, std::unique_ptr<QueryJob> query) {
  Submit(call, call.dispatcher.server().workers, std::move(query));
}

QueryJob::~QueryJob() {
  if (!result_.empty()) pool_->TakeResult(result_.size());
}

void QueryJob::Run(std::unique_ptr<Job> self) {
  msgpack_io::Writer writer(&result_);
  status_ = Answer(writer);
  if (const ResultForm form = request_.tag().form; form != nullptr && status_.ok()) {
    std::string formed;
    form(result_, &formed);
    result_ = std::move(formed);
  }
  if (!result_.empty()) pool_->AddResult(result_.size());
  (void)self.release();
  request_.Post(std::unique_ptr<Completion>(this));
}

void QueryJob::OnLoop(Loop& loop) {
  Connection* connection = request_.Return(loop);
  if (request_.tag().is_notification && !status_.ok()) {
    loop.dispatcher().NotificationFailed(request_.tag().method, status_);
  } else if (connection == nullptr) {
    return;
  } else if (status_.ok()) {
    connection->Answer(request_.tag(), [&](msgpack_io::Writer& out) { out.Raw(result_); });
  } else {
    connection->AnswerError(request_.tag(), status_);
  }
}

void HandleGet(Call& call) {
  GetParams params;
  Status status = DecodeGet(call.params, &params);
  if (status.ok()) status = call.Allow(params.namespace_name);
  if (!status.ok()) {
    call.connection.AnswerError(call.tag, status);
    return;
  }
  std::optional<TokenKey> key;
  if (params.token) {
    status = MakeKey(call, *params.token, params.namespace_name, &key.emplace());
    if (!status.ok()) {
      call.connection.AnswerError(call.tag, status);
      return;
    }
  }
  QueryJob::Submit(call, std::make_unique<GetJob>(call, params, key));
}

void HandleList(Call& call) { HandleFiltered<ListJob>(call, &DecodeList); }

void HandleCount(Call& call) { HandleFiltered<CountJob>(call, &DecodeCount); }

}  // namespace tokend
