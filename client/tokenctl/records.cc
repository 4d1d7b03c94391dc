#include "client/tokenctl/records.h"

#include <ostream>

#include "client/json.h"
#include "client/tokenctl/table.h"
#include "client/tokenctl/time_arg.h"

namespace tokend::tokenctl {

namespace {

using client::TokenInfo;
using client::Verdict;
using Json = nlohmann::ordered_json;

template <class T>
Json OrNull(const std::optional<T>& value) {
  return value.has_value() ? Json(*value) : Json(nullptr);
}

Json OrNull(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

}  // namespace

Json VerdictJson(const Verdict& verdict) {
  switch (verdict.kind) {
    case Verdict::Kind::kValid:
      return {{"valid", true},
              {"expires_at", OrNull(verdict.expires_at_ms)},
              {"owner", OrNull(verdict.owner)},
              {"scopes", verdict.scopes}};
    case Verdict::Kind::kInvalid:
      return {{"valid", false}, {"reason", verdict.reason}};
    case Verdict::Kind::kCannotSay:
      break;
  }
  return {{"valid", nullptr}, {"reason", verdict.reason}};
}

Json RecordJson(const TokenInfo& record) {
  return {{"id", record.id},
          {"source_id", OrNull(record.source_id)},
          {"namespace", record.namespace_name},
          {"owner", OrNull(record.owner)},
          {"name", OrNull(record.name)},
          {"scopes", record.scopes},
          {"created_at", record.created_at_ms},
          {"updated_at", record.updated_at_ms},
          {"expires_at", OrNull(record.expires_at_ms)},
          {"last_used_at", OrNull(record.last_used_at_ms)},
          {"use_count", record.use_count},
          {"state", record.state},
          {"generation", record.generation},
          {"attributes", client::ToJson(record.attributes)}};
}

Json IssuedJson(const client::IssuedToken& issued) {
  return {{"id", issued.id}, {"token", issued.token}, {"expires_at", OrNull(issued.expires_at_ms)}};
}

std::string ExpiryText(const std::optional<uint64_t>& expires_at_ms) {
  return expires_at_ms.has_value() ? FormatTime(*expires_at_ms) : "never";
}

std::string Joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

void PrintFields(const Context& context, const Fields& fields) {
  Table table({{}, {}});
  for (const auto& [name, value] : fields) table.Add({name, value});
  // What one record holds is shown whole, however narrow the terminal.
  context.out() << table.ToString(0);
}

void PrintRecord(const Context& context, const TokenInfo& record) {
  PrintFields(context,
              {{"id", record.id},
               {"source_id", record.source_id},
               {"namespace", record.namespace_name},
               {"owner", record.owner.value_or("")},
               {"name", record.name.value_or("")},
               {"scopes", Joined(record.scopes)},
               {"state", record.state},
               {"created_at", FormatTime(record.created_at_ms)},
               {"updated_at", FormatTime(record.updated_at_ms)},
               {"expires_at", ExpiryText(record.expires_at_ms)},
               {"last_used_at", record.last_used_at_ms ? FormatTime(*record.last_used_at_ms) : ""},
               {"use_count", std::to_string(record.use_count)},
               {"generation", std::to_string(record.generation)},
               {"attributes", client::MsgpackToJson(record.attributes)}});
}

void PrintRecords(const Context& context, const std::vector<TokenInfo>& records) {
  Table table({{"ID"},
               {"STATE"},
               {"OWNER"},
               {"NAME"},
               {"SCOPES"},
               {"EXPIRES_AT"},
               {"LAST_USED_AT"},
               {"USES", Table::Align::kRight}});
  for (const TokenInfo& record : records) {
    table.Add({record.id, record.state, record.owner.value_or(""), record.name.value_or(""),
               Joined(record.scopes),
               record.expires_at_ms ? FormatTimeSeconds(*record.expires_at_ms) : "never",
               record.last_used_at_ms ? FormatTimeSeconds(*record.last_used_at_ms) : "",
               std::to_string(record.use_count)});
  }
  context.out() << table.ToString(context.env.columns);
}

}  // namespace tokend::tokenctl
