// RepairSource: what is left of a damaged database, as one that can be read row by row.
//
// RocksDB reads a family from all its files at once, and nothing where one of them does not open.
// So what is whole is put together without those files, each where it was, newer over older.
#pragma once

#include <rocksdb/db.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "protocol/error.h"
#include "storage/database.h"

namespace tokend {

// Says what a repair could not do, and why.
Status Cannot(const std::string& doing, const rocksdb::Status& status);

class RepairSource {
 public:
  // A file that nothing can be read of.
  struct LostTable {
    Database::Family family = Database::kMeta;
    std::string name;
    std::string fault;       // "is missing", say
    uint64_t bytes = 0;      // as it was
    uint64_t oldest_ms = 0;  // from when on its rows may be; 0 = unknown
  };

  // The copies that it takes go to `work_dir`, which must be there. `options` are of the database.
  RepairSource(DatabaseOptions options, std::string work_dir);
  ~RepairSource();
  RepairSource(const RepairSource&) = delete;
  RepairSource& operator=(const RepairSource&) = delete;

  // Changes nothing of the database.
  Status Open();

  // Once it is open:
  std::unique_ptr<rocksdb::Iterator> NewIterator(Database::Family family);
  rocksdb::Status Get(Database::Family family, const std::string& key, std::string* value);
  uint64_t EstimateRows(Database::Family family);
  const std::vector<LostTable>& lost_tables() const { return lost_tables_; }
  bool HasLostTableOf(Database::Family family) const;
  // Why the list of the database's files could not be used, if so: then older rows may pass for the
  // newest.
  const std::string& lost_list() const { return lost_list_; }

 private:
  std::string FaultOf(const rocksdb::LiveFileMetaData& table);
  Status PutTogether();
  Status ListAnew();
  void LinkFiles(const std::string& to, bool with_list);
  bool IsLost(const std::string& name) const;
  std::vector<rocksdb::ColumnFamilyDescriptor> Families(const DatabaseOptions& options) const;
  DatabaseOptions OptionsFor(const std::string& data_dir) const;

  const DatabaseOptions options_;
  const std::string path_, work_dir_;
  std::vector<LostTable> lost_tables_;
  std::string lost_list_;
  std::unique_ptr<Database> database_;     // where RocksDB can open it
  std::unique_ptr<rocksdb::DB> together_;  // where it cannot
  std::vector<rocksdb::ColumnFamilyHandle*> together_families_;
};

}  // namespace tokend
