// What there is to be read: files as they are named, and those of a directory that mydumper or
// mysqldump --tab has filled.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "import/report.h"
#include "import/table_schema.h"
#include "import/text_format.h"
#include "protocol/error.h"

namespace tokend {

struct InputFile {
  std::string path;
  InputFormat format = InputFormat::kAuto;
  bool is_schema = false;      // definitions: what follows belongs to the last one
  TableName table;             // as the file's name has it; empty for standard input
  bool table_is_sure = false;  // the name was made by the dump program
};

struct InputSet {
  std::vector<InputFile> files;
  // Of a directory with a metadata file.
  std::optional<InputReport> metadata;
  std::map<TableName, uint64_t> rows;  // of each table, as it says
  std::vector<std::string> notes;
};

// Adds what `path` stands for. kBadParams: a directory that is not understood, or that mydumper did
// not finish; kInternal: it cannot be read.
Status AddInput(const std::string& path, InputFormat format, InputSet* set);

// The format of a file that begins with `head`.
InputFormat DetectFormat(const std::string& path, std::string_view head);

// Of "dir/api@0060token.txt.gz": "api`token".
std::string TableNameOfFile(const std::string& path);

}  // namespace tokend
