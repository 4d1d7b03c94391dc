// import_begin, import_rows, import_end.
#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "protocol/params.h"
#include "server/connection.h"
#include "server/dispatcher.h"
#include "server/loop.h"
#include "server/write_request.h"

namespace tokend {
namespace {

void WriteImportId(const WriteRequest& request, msgpack_io::Writer& out) {
  out.Str(request.outcomes[0].import_id);
}

void WriteTotals(const WriteRequest& request, msgpack_io::Writer& out) {
  const Outcome& outcome = request.outcomes[0];
  out.MapHeader(4);
  out.Str("taken");
  out.Uint(outcome.taken);
  out.Str("replaced");
  out.Uint(outcome.replaced);
  out.Str("unchanged");
  out.Uint(outcome.unchanged);
  out.Str("refused");
  out.Uint(outcome.refused);
}

void FillRow(Call& call, const ImportRow& row, const std::string& namespace_name,
             const Space& space, ImportedRow* out) {
  out->scheme = StatedScheme(row.token, space.scheme);
  out->has_updated_at = row.updated_at_ms.has_value();
  Record& record = out->record;
  record.key = call.dispatcher.KeyOf(row.token, space);
  record.namespace_name = namespace_name;
  record.source_id = row.source_id;
  if (row.owner) record.owner.emplace(*row.owner);
  if (row.name) record.name.emplace(*row.name);
  record.scopes.assign(row.scopes.begin(), row.scopes.end());
  record.created_at_ms = row.created_at_ms.value_or(0);
  record.updated_at_ms = row.updated_at_ms.value_or(0);
  record.expires_at_ms = row.expires_at_ms;
  record.last_used_at_ms = row.last_used_at_ms;
  record.use_count = row.use_count;
  record.revoked = row.revoked;
  record.attributes = row.attributes;
}

Status CheckSeals(const Call& call, std::string_view namespace_name) {
  if (!SpaceOf(call, namespace_name).seals) {
    return {ErrorCode::kBadParams,
            "seal: namespace " + QuoteName(namespace_name) +
                " does not keep its tokens sealed; give it seal = true in the server's "
                "configuration, or import without"};
  }
  const bool has_key = call.dispatcher.server().config.sealer != nullptr;
  return has_key ? Status::Ok() : MissingSealKey(namespace_name);
}

}  // namespace

void HandleImportBegin(Call& call) {
  ImportBeginParams params;
  Status status = DecodeImportBegin(call.params, &params);
  if (status.ok()) status = call.Allow(params.namespace_name);
  if (status.ok()) status = call.AllowAllOwners();
  if (status.ok() && params.seal) status = CheckSeals(call, params.namespace_name);
  if (!status.ok()) {
    call.connection.AnswerError(call.tag, status);
    return;
  }
  auto request = std::make_unique<WriteRequest>(call, &WriteImportId);
  auto& begin = request->Add<ImportBeginMutation>(params.namespace_name);
  if (!params.scheme.empty()) {
    begin.scheme = ParseDigestScheme(params.scheme);
    if (!begin.scheme) {
      call.connection.AnswerError(
          call.tag, Status(ErrorCode::kBadParams, "scheme: must be " + DigestSchemeNames()));
      return;
    }
  }
  begin.source = std::string(params.source);
  begin.position = std::string(params.position);
  begin.stricter = params.stricter;
  request->opens_import = &call.dispatcher.server().imports;
  WriteRequest::Submit(call, std::move(request));
}

void HandleImportRows(Call& call) {
  ImportRowsParams params;
  const Status status = DecodeImportRows(call.params, call.dispatcher.server().limits, &params);
  if (!status.ok()) {
    call.connection.AnswerError(call.tag, status);
    return;
  }
  const std::optional<std::string> namespace_name =
      call.dispatcher.server().imports.Find(params.import_id);
  if (!namespace_name) {
    call.connection.AnswerError(
        call.tag, Status(ErrorCode::kBadParams,
                         "import id: no such import is open; it ended, or the server has restarted "
                         "since: begin it again"));
    return;
  }
  Status allowed = call.Allow(*namespace_name);
  if (allowed.ok()) allowed = call.AllowAllOwners();
  if (!allowed.ok()) {
    call.connection.AnswerError(call.tag, allowed);
    return;
  }
  const Space space = SpaceOf(call, *namespace_name);
  // None of them is taken then: to refuse a row is to say that it is wrong.
  if (!space.has_keys() && std::any_of(params.rows.begin(), params.rows.end(), [](const auto& one) {
        return one.status.ok() && !one.row.token.is_key;
      })) {
    call.connection.AnswerError(call.tag, MissingSecret(*namespace_name, space));
    return;
  }
  auto request = std::make_unique<WriteRequest>(call, &WriteTotals);
  auto& rows = request->Add<ImportRowsMutation>(*namespace_name);
  rows.import_id = std::string(params.import_id);
  rows.rows.reserve(params.rows.size());
  for (const ImportRowElement& element : params.rows) {
    if (element.status.ok()) {
      ImportedRow& row = rows.rows.emplace_back();
      FillRow(call, element.row, *namespace_name, space, &row);
      const Status sealed =
          SealToken(call, element.row.token, *namespace_name, row.record.key, &row.sealed);
      if (!sealed.ok()) {
        call.connection.AnswerError(call.tag, sealed);
        return;
      }
    } else {
      ++rows.refused;
    }
  }
  WriteRequest::Submit(call, std::move(request));
}

void HandleImportEnd(Call& call) {
  std::string_view import_id;
  Status status = DecodeImportEnd(call.params, &import_id);
  const auto namespace_name = call.dispatcher.server().imports.Find(import_id);
  if (status.ok()) status = call.AllowAllOwners();
  // One that nobody knows of has ended, or is of before a restart: that is said to whom all is
  // open.
  if (status.ok()) status = namespace_name ? call.Allow(*namespace_name) : call.AllowEverywhere();
  if (!status.ok()) {
    call.connection.AnswerError(call.tag, status);
    return;
  }
  auto request = std::make_unique<WriteRequest>(call, &WriteTotals);
  request->Add<ImportEndMutation>(kDefaultNamespace).import_id = std::string(import_id);
  request->ends_import = &call.dispatcher.server().imports;
  WriteRequest::Submit(call, std::move(request));
}

}  // namespace tokend
