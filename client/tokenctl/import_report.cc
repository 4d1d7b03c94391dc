#include "client/tokenctl/import_report.h"

#include <fmt/format.h>

#include "client/tokenctl/table.h"

namespace tokend::tokenctl {

namespace {

using Json = nlohmann::ordered_json;

std::string FullName(const std::string& database, const std::string& name) {
  return database.empty() ? name : database + "." + name;
}

std::string TotalsText(const client::ImportTotals& totals) {
  return fmt::format("server: {} taken, {} replaced, {} unchanged, {} refused\n",
                     WithCommas(totals.taken), WithCommas(totals.replaced),
                     WithCommas(totals.unchanged), WithCommas(totals.refused));
}

std::string TableText(const TableReport& report, const TotalsOf& totals_of) {
  const TableInfo& table = report.table;
  std::string text =
      fmt::format("{} -> {} ({}, {})\n", Printable(FullName(table.database, table.name)),
                  table.namespace_name.empty() ? "namespaces by column"
                                               : "namespace " + Printable(table.namespace_name),
                  DigestSchemeName(table.scheme), Printable(table.mapping));
  for (const FieldUse& field : table.fields) {
    text += fmt::format("  {} <- {}", field.field, Printable(field.column));
    if (!field.reading.empty()) text += fmt::format(" ({})", Printable(field.reading));
    text += '\n';
  }
  if (!table.ignored_columns.empty()) {
    text += "  ignored columns:";
    for (const std::string& column : table.ignored_columns) text += " " + Printable(column);
    text += '\n';
  }
  text += fmt::format("  rows: {} read, {} taken ({} revoked, {} without expiry), {} refused",
                      WithCommas(report.rows_read), WithCommas(report.rows_taken),
                      WithCommas(report.rows_revoked), WithCommas(report.rows_never),
                      WithCommas(report.rows_refused));
  if (report.rows_not_selected > 0) {
    text += fmt::format(", {} not selected", WithCommas(report.rows_not_selected));
  }
  text += '\n';
  for (const RefusalReport& refusal : report.refusals) {
    text += fmt::format("  refused: {} {} ({}); first:", WithCommas(refusal.count),
                        RefusalName(refusal.reason), RefusalText(refusal.reason));
    std::string input;
    for (const RefusalReport::Place& place : refusal.first) {
      if (&place != &refusal.first.front()) text += ",";
      if (place.input != input) text += " " + Printable(place.input);
      text += fmt::format(" row {} (byte {})", place.row, place.offset);
      input = place.input;
    }
    text += '\n';
  }
  for (const TableReport::LeftOut& left_out : report.left_out) {
    text += fmt::format("  taken without {}: {}\n", left_out.field, WithCommas(left_out.rows));
  }
  if (report.equal_tokens > 0) {
    text +=
        fmt::format("  equal by {}: {}{}; first:", Printable(report.loose_collation),
                    WithCommas(report.equal_tokens), report.equal_tokens_are_all ? "" : " or more");
    for (const TableReport::EqualToken& token : report.first_equal_tokens) {
      if (&token != &report.first_equal_tokens.front()) text += ",";
      text += fmt::format(" {} row {} and", Printable(token.earlier_input), token.earlier_row);
      if (token.input != token.earlier_input) text += " " + Printable(token.input);
      text += fmt::format(" row {}", token.row);
    }
    text += '\n';
  }
  for (const TableReport::Namespace& part : report.namespaces) {
    text +=
        fmt::format("  namespace {}: {} taken", Printable(part.name), WithCommas(part.rows_taken));
    const auto totals = totals_of(part.index);
    text += totals ? "; " + TotalsText(*totals) : "\n";
  }
  if (const auto totals = totals_of(table.index)) text += "  " + TotalsText(*totals);
  return text;
}

std::string InputText(const InputReport& input) {
  std::string text = fmt::format("input {}: {}{}, {} bytes", Printable(input.path), input.format,
                                 input.compression == "none" ? "" : " in " + input.compression,
                                 WithCommas(input.bytes));
  if (!input.producer.empty()) text += fmt::format(" ({})", Printable(input.producer));
  if (input.position.has_value()) {
    text += input.position->upstream ? "; upstream binlog" : "; binlog";
    if (!input.position->file.empty()) {
      text += fmt::format(" {}:{}", Printable(input.position->file), input.position->offset);
    }
    if (!input.position->gtid.empty()) text += " gtid " + Printable(input.position->gtid);
  }
  return text + '\n';
}

Json TotalsJson(const std::optional<client::ImportTotals>& totals) {
  if (!totals) return {};
  return {{"taken", totals->taken},
          {"replaced", totals->replaced},
          {"unchanged", totals->unchanged},
          {"refused", totals->refused}};
}

Json TableJson(const TableReport& report, const TotalsOf& totals_of) {
  const TableInfo& table = report.table;
  Json fields = Json::array(), refusals = Json::array(), left_out = Json::object();
  for (const FieldUse& field : table.fields) {
    fields.push_back(
        {{"field", field.field}, {"column", field.column}, {"reading", field.reading}});
  }
  for (const RefusalReport& refusal : report.refusals) {
    Json first = Json::array();
    for (const RefusalReport::Place& place : refusal.first) {
      first.push_back({{"input", place.input}, {"row", place.row}, {"offset", place.offset}});
    }
    refusals.push_back({{"reason", RefusalName(refusal.reason)},
                        {"rows", refusal.count},
                        {"first", std::move(first)}});
  }
  for (const TableReport::LeftOut& one : report.left_out) left_out[one.field] = one.rows;
  Json equal = Json::array();
  for (const TableReport::EqualToken& token : report.first_equal_tokens) {
    equal.push_back({{"input", token.input},
                     {"row", token.row},
                     {"earlier_input", token.earlier_input},
                     {"earlier_row", token.earlier_row}});
  }
  Json namespaces = Json::array();
  for (const TableReport::Namespace& part : report.namespaces) {
    namespaces.push_back({{"namespace", part.name},
                          {"rows_taken", part.rows_taken},
                          {"server", TotalsJson(totals_of(part.index))}});
  }
  return {
      {"database", table.database},
      {"table", table.name},
      {"namespace", table.namespace_name.empty() ? Json() : Json(table.namespace_name)},
      {"scheme", DigestSchemeName(table.scheme)},
      {"mapping", table.mapping},
      {"fields", std::move(fields)},
      {"ignored_columns", table.ignored_columns},
      {"rows_read", report.rows_read},
      {"rows_taken", report.rows_taken},
      {"rows_refused", report.rows_refused},
      {"rows_not_selected", report.rows_not_selected},
      {"rows_revoked", report.rows_revoked},
      {"rows_never", report.rows_never},
      {"refusals", std::move(refusals)},
      {"left_out", std::move(left_out)},
      {"loose_collation", report.loose_collation.empty() ? Json() : Json(report.loose_collation)},
      {"equal_tokens", report.equal_tokens},
      {"equal_tokens_are_all", report.equal_tokens_are_all},
      {"first_equal_tokens", std::move(equal)},
      {"namespaces", std::move(namespaces)},
      {"server", TotalsJson(totals_of(table.index))}};
}

Json InputJson(const InputReport& input) {
  Json position;
  if (input.position.has_value()) {
    position = {{"file", input.position->file},
                {"offset", input.position->offset},
                {"gtid", input.position->gtid},
                {"upstream", input.position->upstream}};
  }
  return {{"path", input.path},
          {"format", input.format},
          {"compression", input.compression},
          {"producer", input.producer},
          {"bytes", input.bytes},
          {"text_bytes", input.text_bytes},
          {"complete", input.complete},
          {"incomplete_reason", input.complete ? Json() : Json(input.incomplete_reason)},
          {"position", std::move(position)}};
}

}  // namespace

std::string ImportReportText(const ImportReport& report, const TotalsOf& totals_of) {
  std::string text;
  for (const InputReport& input : report.inputs) text += InputText(input);
  for (const TableReport& table : report.tables) {
    text += TableText(table, totals_of);
  }
  for (const SkippedTable& table : report.skipped_tables) {
    text +=
        fmt::format("skipped {}: {} rows, {}\n", Printable(FullName(table.database, table.name)),
                    WithCommas(table.rows), table.reason);
  }
  for (const SkippedStatements& statements : report.skipped_statements) {
    text += fmt::format("not executed: {} {}\n", WithCommas(statements.count),
                        Printable(statements.kind));
  }
  for (const std::string& note : report.notes) text += "note: " + Printable(note) + "\n";
  for (const InputReport& input : report.inputs) {
    if (input.complete) continue;
    text += fmt::format("incomplete: {}: {}\n", Printable(input.path),
                        Printable(input.incomplete_reason));
  }
  return text;
}

Json ImportReportJson(const ImportReport& report, const TotalsOf& totals_of) {
  Json inputs = Json::array(), tables = Json::array(), skipped_tables = Json::array(),
       skipped_statements = Json::object();
  for (const InputReport& input : report.inputs) inputs.push_back(InputJson(input));
  for (const TableReport& table : report.tables) {
    tables.push_back(TableJson(table, totals_of));
  }
  for (const SkippedTable& table : report.skipped_tables) {
    skipped_tables.push_back({{"database", table.database},
                              {"table", table.name},
                              {"rows", table.rows},
                              {"reason", table.reason}});
  }
  for (const SkippedStatements& one : report.skipped_statements) {
    skipped_statements[one.kind] = one.count;
  }
  return {{"complete", report.complete()},
          {"inputs", std::move(inputs)},
          {"tables", std::move(tables)},
          {"skipped_tables", std::move(skipped_tables)},
          {"skipped_statements", std::move(skipped_statements)},
          {"notes", report.notes}};
}

}  // namespace tokend::tokenctl
