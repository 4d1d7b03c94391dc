// The SQL tokeniser on extended inserts as mysqldump writes them: rows that are wanted, with the
// text of every value, and rows that are only counted.
#include <benchmark/benchmark.h>

#include <string>

#include "bench/micro.h"
#include "bench/tokens.h"
#include "import/sql_tokenizer.h"

namespace tokend::bench {
namespace {

constexpr size_t kRowsPerStatement = 5000;
constexpr size_t kColumns = 8;

std::string Dump(size_t rows) {
  const TokenSpace tokens(1, 1'800'000'000'000);
  constexpr const char* kNames[] = {"ci deploy", "grafana", "O\\'Reilly", "two\\nlines", "Zoë", ""};
  std::string text;
  for (size_t i = 0; i < rows; ++i) {
    text += i % kRowsPerStatement != 0 ? ","
            : i == 0                   ? "INSERT INTO `api_token` VALUES "
                                       : ";\nINSERT INTO `api_token` VALUES ";
    text += "(" + std::to_string(i + 1) + ",'" + tokens.Token(i) + "'," +
            std::to_string(i * 2654435761 % 1000003) + ",'" + kNames[i % std::size(kNames)] +
            "','2024-01-01 00:00:00','2024-06-01 10:20:30'," +
            (i % 2 == 0 ? "NULL" : "'2025-06-01 10:20:30'") + ",'2031-01-01 00:00:00')";
  }
  return text + ";\n";
}

struct Seen {
  size_t rows = 0;
  size_t strings = 0;
  size_t string_bytes = 0;
};

bool ToRows(SqlTokenizer* sql) {
  while (sql->Next().kind != SqlTokenKind::kEnd) {
    if (sql->token().IsWord("VALUES")) return true;
  }
  return false;
}

// Every value's text.
Seen ReadAll(std::string_view dump) {
  MemorySource source(dump);
  SqlTokenizer sql(&source, {}, nullptr);
  Seen seen;
  while (ToRows(&sql)) {
    while (!sql.Next().IsEnd()) {
      if (sql.token().kind == SqlTokenKind::kString) {
        ++seen.strings;
        seen.string_bytes += sql.token().text.size();
      }
      if (sql.token().Is('(')) ++seen.rows;
    }
  }
  return seen;
}

Seen CountRows(std::string_view dump) {
  MemorySource source(dump);
  SqlTokenizer sql(&source, {}, nullptr);
  Seen seen;
  while (ToRows(&sql)) {
    uint64_t rows = 0;
    Require(sql.SkipRows(&rows), "SkipRows");
    seen.rows += rows;
  }
  return seen;
}

template <Seen (*kRead)(std::string_view)>
void BmRead(benchmark::State& state, const std::string* dump) {
  for (auto _ : state) benchmark::DoNotOptimize(kRead(*dump));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(dump->size()));
}

void Check(const std::string& dump, size_t rows) {
  const Seen all = ReadAll(dump);
  Require(all.rows == rows, "the rows of Next");
  // Of the eight columns two are numbers, and one is NULL in every other row.
  Require(all.strings == rows * (kColumns - 2) - (rows + 1) / 2, "the values of Next");
  Require(CountRows(dump).rows == rows, "the rows of SkipRows");
}

}  // namespace

void RegisterBenchmarks(size_t tokens_max) {
  // Larger than any cache where a million tokens are asked for.
  static std::string dump = Dump(tokens_max);
  Check(dump, tokens_max);
  benchmark::RegisterBenchmark("Tokenize/wanted", BmRead<ReadAll>, &dump);
  benchmark::RegisterBenchmark("Tokenize/not_wanted", BmRead<CountRows>, &dump);
}

}  // namespace tokend::bench
