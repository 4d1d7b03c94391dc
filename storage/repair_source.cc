#include "storage/repair_source.h"

#include <rocksdb/comparator.h>
#include <rocksdb/metadata.h>
#include <rocksdb/sst_file_reader.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

#include "storage/database_options.h"
#include "storage/log_claim.h"

namespace tokend {
namespace {

namespace fs = std::filesystem;

std::string Name(const rocksdb::LiveFileMetaData& table) { return table.relative_filename; }

}  // namespace

Status Cannot(const std::string& doing, const rocksdb::Status& status) {
  return {ErrorCode::kInternal, "cannot " + doing + ": " + status.ToString()};
}

RepairSource::RepairSource(DatabaseOptions options, std::string work_dir)
    : options_(std::move(options)),
      path_(options_.data_dir + "/db"),
      work_dir_(std::move(work_dir)) {}

RepairSource::~RepairSource() {
  for (rocksdb::ColumnFamilyHandle* family : together_families_) {
    together_->DestroyColumnFamilyHandle(family);
  }
}

Status RepairSource::Open() {
  std::string path = path_;
  if (ReadLogClaims(path_, rocksdb::Env::Default()).is_broken) {
    LinkFiles(work_dir_ + "/readable/db", /*with_list=*/true);
    path = work_dir_ + "/readable/db";
  }
  const auto opened =
      Database::OpenReadOnly(options_, path, Database::Reading::kTolerant, &database_);
  if (!opened.ok()) {
    lost_list_ = opened.ToString();
    return ListAnew();
  }
  std::vector<rocksdb::LiveFileMetaData> tables;
  database_->db()->GetLiveFilesMetaData(&tables);
  for (const rocksdb::LiveFileMetaData& table : tables) {
    std::string fault = FaultOf(table);
    if (fault.empty()) continue;
    const auto* const family =
        std::find(std::begin(kFamilyNames), std::end(kFamilyNames), table.column_family_name);
    lost_tables_.push_back({static_cast<Database::Family>(family - std::begin(kFamilyNames)),
                            Name(table), std::move(fault), table.size,
                            table.oldest_ancester_time * 1000});
  }
  return lost_tables_.empty() ? Status() : PutTogether();
}

std::unique_ptr<rocksdb::Iterator> RepairSource::NewIterator(Database::Family family) {
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  return std::unique_ptr<rocksdb::Iterator>(
      together_ != nullptr ? together_->NewIterator(options, together_families_[family])
                           : database_->db()->NewIterator(options, database_->family(family)));
}

rocksdb::Status RepairSource::Get(Database::Family family, const std::string& key,
                                  std::string* value) {
  return together_ != nullptr
             ? together_->Get(rocksdb::ReadOptions(), together_families_[family], key, value)
             : database_->db()->Get(rocksdb::ReadOptions(), database_->family(family), key, value);
}

uint64_t RepairSource::EstimateRows(Database::Family family) {
  uint64_t rows = 0;
  const std::string& property = rocksdb::DB::Properties::kEstimateNumKeys;
  if (together_ != nullptr) {
    together_->GetIntProperty(together_families_[family], property, &rows);
  } else {
    database_->db()->GetIntProperty(database_->family(family), property, &rows);
  }
  return rows;
}

bool RepairSource::HasLostTableOf(Database::Family family) const {
  return std::any_of(lost_tables_.begin(), lost_tables_.end(),
                     [&](const LostTable& table) { return table.family == family; });
}

bool RepairSource::IsLost(const std::string& name) const {
  return std::any_of(lost_tables_.begin(), lost_tables_.end(),
                     [&](const LostTable& table) { return table.name == name; });
}

std::string RepairSource::FaultOf(const rocksdb::LiveFileMetaData& table) {
  const std::string path = path_ + "/" + Name(table);
  std::error_code error;
  const uint64_t bytes = fs::file_size(path, error);
  if (error == std::errc::no_such_file_or_directory) return "is missing";
  if (error) return "cannot be read (" + error.message() + ")";
  if (bytes != table.size) {
    return "has " + std::to_string(bytes) + " bytes and should have " + std::to_string(table.size);
  }
  const auto families = Families(options_);
  const auto family = std::find_if(families.begin(), families.end(), [&](const auto& known) {
    return known.name == table.column_family_name;
  });
  rocksdb::SstFileReader reader(rocksdb::Options(MakeDbOptions(options_), family->options));
  rocksdb::Status status = reader.Open(path);
  if (status.ok()) {
    // Both ends, by which RocksDB puts it in its place. A block between them may be damaged.
    const std::unique_ptr<rocksdb::Iterator> it(reader.NewIterator(rocksdb::ReadOptions()));
    it->SeekToFirst();
    status = it->status();
    if (status.ok()) {
      it->SeekToLast();
      status = it->status();
    }
  }
  return status.ok() ? std::string() : "cannot be read (" + RocksDbText(status) + ")";
}

// The rows of the log first become a file as others, by opening a copy; then the files that are
// whole become families of a new database.
Status RepairSource::PutTogether() {
  database_.reset();
  const std::string linked = work_dir_ + "/linked";
  LinkFiles(linked + "/db", /*with_list=*/true);
  std::vector<rocksdb::LiveFileMetaData> tables;
  {
    const DatabaseOptions options = OptionsFor(linked);
    rocksdb::DBOptions db_options = MakeDbOptions(options);
    db_options.paranoid_checks = false;  // passes over the files that are not there
    rocksdb::DB* opened = nullptr;
    std::vector<rocksdb::ColumnFamilyHandle*> families;
    const auto status =
        rocksdb::DB::Open(db_options, linked + "/db", Families(options), &families, &opened);
    if (!status.ok()) return Cannot("read any of the database", status);
    const std::unique_ptr<rocksdb::DB> db(opened);
    db->GetLiveFilesMetaData(&tables);
    for (rocksdb::ColumnFamilyHandle* family : families) db->DestroyColumnFamilyHandle(family);
  }
  std::erase_if(tables, [&](const auto& table) { return IsLost(Name(table)); });

  const DatabaseOptions options = OptionsFor(work_dir_ + "/together");
  fs::create_directories(options.data_dir);
  const auto families = Families(options);
  rocksdb::DB* opened = nullptr;
  rocksdb::Status status =
      rocksdb::DB::Open(rocksdb::Options(MakeDbOptions(options), families[0].options),
                        options.data_dir + "/db", &opened);
  together_.reset(opened);
  for (const rocksdb::ColumnFamilyDescriptor& family : families) {
    if (!status.ok()) break;
    rocksdb::ExportImportFilesMetaData import;
    import.db_comparator_name = family.options.comparator->Name();
    std::copy_if(tables.begin(), tables.end(), std::back_inserter(import.files),
                 [&](const auto& table) { return table.column_family_name == family.name; });
    rocksdb::ImportColumnFamilyOptions by_link;
    by_link.move_files = true;
    rocksdb::ColumnFamilyHandle* handle = nullptr;
    const std::string name = "whole " + family.name;  // "default" is there already
    status = import.files.empty() ? together_->CreateColumnFamily(family.options, name, &handle)
                                  : together_->CreateColumnFamilyWithImport(
                                        family.options, name, by_link, import, &handle);
    if (status.ok()) together_families_.push_back(handle);
  }
  return status.ok() ? Status() : Cannot("put together what is whole of the database", status);
}

// From the files that are there, on a copy: RocksDB's own repair moves and deletes files.
Status RepairSource::ListAnew() {
  const std::string linked = work_dir_ + "/linked";
  LinkFiles(linked + "/db", /*with_list=*/false);
  const DatabaseOptions options = OptionsFor(linked);
  const auto repaired =
      rocksdb::RepairDB(linked + "/db", MakeDbOptions(options), Families(options));
  if (!repaired.ok()) return Cannot("read any of the database (" + lost_list_ + ")", repaired);
  // Where it puts what it could not read, and the logs.
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(linked + "/db/lost", none)) {
    if (entry.path().extension() != ".sst") continue;
    lost_list_.append("; db/").append(entry.path().filename()).append(" cannot be read");
  }
  // To be written to, since families of which no file is left have to be made.
  Status status = Database::Open(options, &database_);
  if (status.ok()) return status;
  return {ErrorCode::kInternal, "cannot read any of the database (" + lost_list_ + "; " +
                                    status.message() + "); restore it from a backup"};
}

void RepairSource::LinkFiles(const std::string& to, bool with_list) {
  fs::create_directories(to);
  for (const auto& entry : fs::directory_iterator(path_)) {
    const std::string name = entry.path().filename().string();
    const fs::path copy = fs::path(to) / name;
    const bool is_list = name == "CURRENT" || name.starts_with("MANIFEST-");
    // Tables never change; the others are written to.
    if (name.ends_with(".sst")) {
      if (!IsLost(name)) fs::create_hard_link(entry.path(), copy);
    } else if (name.ends_with(".log")) {
      std::ifstream log(entry.path(), std::ios::binary);
      std::ofstream readable(copy, std::ios::binary);
      readable << ReadableRecords(std::string(std::istreambuf_iterator<char>(log), {}));
      readable.close();
      if (!readable) {
        throw fs::filesystem_error("cannot write", copy, std::make_error_code(std::errc::io_error));
      }
    } else if (with_list && is_list) {
      fs::copy_file(entry.path(), copy);
    }
  }
}

std::vector<rocksdb::ColumnFamilyDescriptor> RepairSource::Families(
    const DatabaseOptions& options) const {
  auto families = MakeFamilies(options, rocksdb::NewLRUCache(options.block_cache_bytes));
  for (rocksdb::ColumnFamilyDescriptor& family : families) {
    family.options.disable_auto_compactions = true;
    family.options.force_consistency_checks = false;
  }
  return families;
}

DatabaseOptions RepairSource::OptionsFor(const std::string& data_dir) const {
  DatabaseOptions options = options_;
  options.data_dir = data_dir;
  return options;
}

}  // namespace tokend
