#include "storage/log_claim.h"

#include <rocksdb/env.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "storage/byte_codec.h"
#include "storage/rows.h"

namespace tokend {
namespace {

// RocksDB's format of a log: blocks, and in them fragments of records, none across two blocks.
//
//   fragment = crc:4 size:2 type:1 bytes; numbers little-endian, the crc of type and bytes, masked
constexpr size_t kBlockBytes = 32768;
constexpr size_t kHeadBytes = 7;
enum FragmentType : uint8_t { kWhole = 1, kFirst = 2, kMiddle = 3, kLast = 4 };

constexpr std::array<uint32_t, 256> MakeCrcTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);  // CRC-32C
    table[i] = crc;
  }
  return table;
}
constexpr std::array<uint32_t, 256> kCrcTable = MakeCrcTable();

uint32_t MaskedCrc(std::string_view bytes) {
  uint32_t crc = ~0u;
  for (const char c : bytes) crc = crc >> 8 ^ kCrcTable[(crc ^ static_cast<uint8_t>(c)) & 0xff];
  crc = ~crc;
  return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

uint32_t LittleEndian(std::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = bytes.size(); i > 0; --i) {
    value = value << 8 | static_cast<uint8_t>(bytes[i - 1]);
  }
  return value;
}

// Takes from a batch what it says of its log.
class ClaimReader : public rocksdb::WriteBatch::Handler {
 public:
  rocksdb::Status PutCF(uint32_t family, const rocksdb::Slice& key,
                        const rocksdb::Slice& value) override {
    if (family != 0 || std::string_view(key.data(), key.size()) != kSequenceRow) {
      return rocksdb::Status::OK();
    }
    SequenceRow row;
    if (DecodeSequenceRow({value.data(), value.size()}, &row)) synced_ = row.synced;
    return rocksdb::Status::OK();
  }
  rocksdb::Status DeleteCF(uint32_t /*family*/, const rocksdb::Slice& /*key*/) override {
    return rocksdb::Status::OK();
  }
  rocksdb::Status MergeCF(uint32_t /*family*/, const rocksdb::Slice& /*key*/,
                          const rocksdb::Slice& /*value*/) override {
    return rocksdb::Status::OK();
  }
  uint64_t synced() const { return synced_; }

 private:
  uint64_t synced_ = 0;
};

uint64_t SyncedByRecord(const std::string& record) {
  ClaimReader reader;
  if (record.size() < 12 || !rocksdb::WriteBatch(record).Iterate(&reader).ok()) return 0;
  return reader.synced();
}

uint64_t SyncedByLog(std::string_view log) {
  uint64_t synced = 0;
  std::string record;  // the fragments of the one in hand
  bool is_begun = false;
  for (size_t block = 0; block < log.size(); block += kBlockBytes) {
    const std::string_view bytes = log.substr(block, kBlockBytes);
    for (size_t at = 0; bytes.size() - at >= kHeadBytes;) {
      const uint32_t size = LittleEndian(bytes.substr(at + 4, 2));
      const auto type = static_cast<uint8_t>(bytes[at + 6]);
      const bool is_sound =
          type >= kWhole && type <= kLast && size <= bytes.size() - at - kHeadBytes &&
          LittleEndian(bytes.substr(at, 4)) == MaskedCrc(bytes.substr(at + 6, 1 + size));
      if (!is_sound) {
        is_begun = false;
        break;  // the next block begins with a fragment again
      }
      if (type == kWhole || type == kFirst) record.clear();
      is_begun = type == kWhole || type == kFirst || is_begun;
      record.append(bytes.substr(at + kHeadBytes, size));
      if (is_begun && (type == kWhole || type == kLast)) {
        synced = std::max(synced, SyncedByRecord(record));
        is_begun = false;
      }
      at += kHeadBytes + size;
    }
  }
  return synced;
}

}  // namespace

uint64_t SyncedByLogs(const std::string& db_path, rocksdb::Env* env) {
  std::vector<std::string> names;
  if (!env->GetChildren(db_path, &names).ok()) return 0;
  uint64_t synced = 0;
  for (const std::string& name : names) {
    if (!name.ends_with(".log")) continue;
    std::string path = db_path;
    path.append("/").append(name);
    std::string log;
    if (!rocksdb::ReadFileToString(env, path, &log).ok()) continue;
    synced = std::max(synced, SyncedByLog(log));
  }
  return synced;
}

}  // namespace tokend
