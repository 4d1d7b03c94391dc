#include "client/tokenctl/import_sender.h"

#include <algorithm>
#include <cassert>
#include <thread>
#include <utility>

#include "protocol/msgpack.h"

namespace tokend::tokenctl {

namespace {

client::ImportRow RowOf(const ImportRow& row) {
  client::ImportRow out;
  out.token = row.token.is_key ? client::Token::Key(row.token.key.view())
                               : client::Token(row.token.token.bytes());
  out.owner = row.owner;
  out.name = row.name;
  out.scopes = row.scopes;
  if (row.expires_at_ms != kNever) out.expires_at_ms = row.expires_at_ms;
  out.revoked = row.revoked;
  out.created_at_ms = row.created_at_ms;
  out.updated_at_ms = row.updated_at_ms;
  out.last_used_at_ms = row.last_used_at_ms;
  out.use_count = row.use_count;
  out.source_id = row.source_id;
  out.attributes = row.attributes;
  return out;
}

// For whoever follows the binary log from there.
std::string Encode(const BinlogPosition& position) {
  std::string encoded;
  msgpack_io::Writer out(&encoded);
  out.MapHeader(4);
  out.Str("file");
  out.Str(position.file);
  out.Str("offset");
  out.Uint(position.offset);
  out.Str("gtid");
  out.Str(position.gtid);
  out.Str("upstream");
  out.Bool(position.upstream);
  return encoded;
}

bool IsBusy(const client::Error& error) {
  return error.source == client::Error::Source::kServer && error.code == "busy";
}

}  // namespace

ImportSender::ImportSender(client::Client* client, const ImportSenderOptions& options)
    : client_(client), options_(options), pacer_(options.rows_per_second_max) {}

Status ImportSender::BeginTable(const TableInfo& table) {
  client::ImportBeginRequest request;
  request.namespace_name = table.namespace_name;
  request.scheme = DigestSchemeName(table.scheme);
  request.stricter = options_.stricter;
  request.seal = options_.seal;
  request.source = table.database.empty() ? table.name : table.database + "." + table.name;
  client::Result<std::string> import_id = client_->ImportBegin(request);
  if (!import_id) return Fail(import_id.error());
  if (tables_.size() <= table.index) tables_.resize(table.index + 1);
  tables_[table.index].begun = std::move(request);
  tables_[table.index].import_id = *std::move(import_id);
  return Status::Ok();
}

Status ImportSender::Row(const TableInfo& table, const ImportRow& row, const RowPosition&) {
  client::ImportBatch& batch = tables_[table.index].batch;
  client::Result<client::Done> added = batch.Add(RowOf(row));
  if (!added) return Fail(added.error());
  if (batch.row_count() >= options_.batch_rows_max ||
      batch.byte_count() >= options_.batch_bytes_max) {
    return SendBatch(table.index);
  }
  return Status::Ok();
}

Status ImportSender::SendBatch(size_t table_index) {
  Table& table = tables_[table_index];
  const size_t bytes = table.batch.byte_count();
  while (sent_.size() >= options_.window ||
         (!sent_.empty() && sent_bytes_ + bytes > options_.window_bytes_max)) {
    if (Status status = TakeOldest(); !status.ok()) return status;
  }
  const auto pause = pacer_.Wait(table.batch.row_count(), std::chrono::steady_clock::now());
  if (pause.count() > 0) std::this_thread::sleep_for(pause);
  auto answer = client_->SendImportRows(table.import_id, table.batch);
  sent_.push_back({table_index, std::exchange(table.batch, {}), std::move(answer)});
  sent_bytes_ += bytes;
  if (!spare_batches_.empty()) {
    table.batch = std::move(spare_batches_.back());
    spare_batches_.pop_back();
  }
  // Without this the bytes would wait until a whole window is full.
  client::Result<client::Done> flushed = client_->Flush();
  return flushed ? Status::Ok() : Fail(flushed.error());
}

Status ImportSender::TakeOldest() {
  assert(!sent_.empty());
  Sent oldest = std::move(sent_.front());
  sent_.pop_front();
  client::Result<client::ImportTotals> totals = oldest.answer.Wait();
  auto pause = options_.busy_pause;
  for (auto waited = std::chrono::milliseconds(0);
       !totals && IsBusy(totals.error()) && waited < options_.busy_max;
       waited += pause, pause = std::min(pause * 2, std::chrono::milliseconds(1000))) {
    std::this_thread::sleep_for(pause);
    totals = client_->ImportRows(tables_[oldest.table_index].import_id, oldest.batch);
  }
  if (!totals) return Fail(totals.error());
  sent_bytes_ -= oldest.batch.byte_count();
  oldest.batch.Clear();
  spare_batches_.push_back(std::move(oldest.batch));
  return Status::Ok();
}

Status ImportSender::Finish(const std::optional<BinlogPosition>& position) {
  for (size_t i = 0; i < tables_.size(); ++i) {
    if (tables_[i].batch.row_count() == 0) continue;
    if (Status status = SendBatch(i); !status.ok()) return status;
  }
  while (!sent_.empty()) {
    if (Status status = TakeOldest(); !status.ok()) return status;
  }
  for (Table& table : tables_) {
    if (table.import_id.empty()) continue;
    client::Result<client::ImportTotals> totals = client_->ImportEnd(table.import_id);
    if (!totals) return Fail(totals.error());
    table.totals = *totals;
  }
  return position ? StorePosition(Encode(*position)) : Status::Ok();
}

Status ImportSender::StorePosition(const std::string& position) {
  for (const Table& table : tables_) {
    if (table.import_id.empty()) continue;
    client::ImportBeginRequest request = table.begun;
    request.position = position;
    const client::Result<std::string> import_id = client_->ImportBegin(request);
    if (!import_id) return Fail(import_id.error());
    const client::Result<client::ImportTotals> ended = client_->ImportEnd(*import_id);
    if (!ended) return Fail(ended.error());
  }
  return Status::Ok();
}

std::optional<client::ImportTotals> ImportSender::totals(size_t table_index) const {
  if (table_index >= tables_.size()) return std::nullopt;
  return tables_[table_index].totals;
}

Status ImportSender::Fail(const client::Error& error) {
  error_ = error;
  return Status(ErrorCode::kUnavailable, error.message);
}

}  // namespace tokend::tokenctl
