#include "storage/data_directory.h"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>

namespace tokend {
namespace {

namespace fs = std::filesystem;

bool MayStandInADataDirectory(const fs::directory_entry& entry) {
  constexpr std::string_view kOurs[] = {"backup",     "db",     "import", "lock",
                                        "lost+found", "repair", "restore"};
  const std::string name = entry.path().filename().string();
  std::error_code error;
  return std::find(std::begin(kOurs), std::end(kOurs), name) != std::end(kOurs) ||
         name.starts_with('.') || name.starts_with("db.damaged-") || name.starts_with("tokend") ||
         name.ends_with(".toml") || name.ends_with(".log") || name == "log" ||
         entry.is_socket(error) ||
         // A directory of backups, of whatever name.
         fs::is_directory(entry.path() / "meta", error);
}

// What RocksDB makes; of a database that was never finished, too.
bool IsRocksDbs(const fs::directory_entry& entry) {
  const std::string name = entry.path().filename().string();
  return name == "CURRENT" || name == "IDENTITY" || name == "LOCK" || name == "lost" ||
         name == "archive" || name.starts_with('.') || name.starts_with("LOG") ||
         name.starts_with("MANIFEST-") || name.starts_with("OPTIONS-") || name.ends_with(".sst") ||
         name.ends_with(".log") || name.ends_with(".dbtmp");
}

// The name of the first entry that is not one of those; empty if there is none, or no directory.
template <typename IsOurs>
std::string Foreign(const std::string& path, IsOurs is_ours) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path, error)) {
    if (!is_ours(entry)) return entry.path().filename().string();
  }
  return {};
}

}  // namespace

Status CheckIsDataDirectory(const std::string& data_dir) {
  const fs::path directory(data_dir);
  std::error_code error;
  if (fs::exists(directory / "db" / "CURRENT", error)) return {};  // what it is, opening it tells
  if (fs::exists(directory / "CURRENT", error)) {
    return {ErrorCode::kInternal, data_dir +
                                      " is a database itself, not a data directory; give the "
                                      "directory that it is in with --data-dir, or an empty one"};
  }
  std::string found = Foreign(data_dir, MayStandInADataDirectory);
  if (found.empty()) {
    found = Foreign(data_dir + "/db", IsRocksDbs);
    if (!found.empty()) found.insert(0, "db/");
  }
  if (found.empty()) return {};
  return {ErrorCode::kInternal,
          data_dir + " is not a data directory of tokend's: \"" + found +
              "\" is in it, and no database of tokend's; give an empty directory, or one that is "
              "to be made, with --data-dir"};
}

}  // namespace tokend
