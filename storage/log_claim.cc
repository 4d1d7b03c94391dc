#include "storage/log_claim.h"

#include <rocksdb/env.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <array>
#include <cstdlib>
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

// Takes from a batch what it says of its log, and when it was written.
class ClaimReader : public rocksdb::WriteBatch::Handler {
 public:
  rocksdb::Status PutCF(uint32_t family, const rocksdb::Slice& key,
                        const rocksdb::Slice& value) override {
    const std::string_view row_key(key.data(), key.size());
    const std::string_view row_value(value.data(), value.size());
    CutoffRow cutoff;
    StoredRecordView record;
    if (family == 0 && row_key == kSequenceRow) {
      SequenceRow row;
      if (DecodeSequenceRow(row_value, &row)) sequence_ = row;
    } else if (family == 0 && row_key.starts_with(kCutoffRowPrefix)) {
      if (DecodeCutoffRow(row_value, &cutoff)) at_ms_ = std::max(at_ms_, cutoff.at_ms);
    } else if (family != 0 && row_key.size() == kTokenRowKeyBytes) {
      if (DecodeStoredRecord(row_value, &record)) at_ms_ = std::max(at_ms_, record.updated_at_ms);
    }
    return rocksdb::Status::OK();
  }
  rocksdb::Status DeleteCF(uint32_t /*family*/, const rocksdb::Slice& /*key*/) override {
    return rocksdb::Status::OK();
  }
  rocksdb::Status DeleteRangeCF(uint32_t /*family*/, const rocksdb::Slice& /*begin*/,
                                const rocksdb::Slice& /*end*/) override {
    return rocksdb::Status::OK();
  }
  rocksdb::Status MergeCF(uint32_t /*family*/, const rocksdb::Slice& /*key*/,
                          const rocksdb::Slice& /*value*/) override {
    return rocksdb::Status::OK();
  }
  const SequenceRow& sequence() const { return sequence_; }
  uint64_t at_ms() const { return at_ms_; }  // 0 where nothing in it tells

 private:
  SequenceRow sequence_;
  uint64_t at_ms_ = 0;
};

// Takes what stands in the logs, the oldest first.
class Claims {
 public:
  void OnRecord(const std::string& record) {
    ClaimReader reader;
    if (record.size() < 12 || !rocksdb::WriteBatch(record).Iterate(&reader).ok()) return;
    claims_.synced = std::max(claims_.synced, reader.sequence().synced);
    if (!claims_.is_broken) {
      claims_.last_before = std::max(claims_.last_before, reader.sequence().last);
      claims_.before_ms = std::max(claims_.before_ms, reader.at_ms());
    } else if (claims_.after_ms == 0) {
      claims_.after_ms = reader.at_ms();
    }
  }
  void OnUnreadable() {
    claims_.is_broken = true;
    claims_.after_ms = 0;
  }
  const LogClaims& claims() const { return claims_; }

 private:
  LogClaims claims_;
};

// Gives each record that can be read, and each place that cannot.
template <typename OnRecord, typename OnUnreadable>
void ReadLog(std::string_view log, OnRecord on_record, OnUnreadable on_unreadable) {
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
        on_unreadable();
        is_begun = false;
        break;  // the next block begins with a fragment again
      }
      if (type == kWhole || type == kFirst) record.clear();
      is_begun = type == kWhole || type == kFirst || is_begun;
      record.append(bytes.substr(at + kHeadBytes, size));
      if (is_begun && (type == kWhole || type == kLast)) {
        on_record(record);
        is_begun = false;
      }
      at += kHeadBytes + size;
    }
  }
}

void PutLittleEndian(uint32_t value, size_t bytes, std::string* out) {
  for (size_t i = 0; i < bytes; ++i) out->push_back(static_cast<char>(value >> 8 * i));
}

void AppendRecord(std::string_view record, std::string* log) {
  bool is_begun = false;
  do {
    size_t room = kBlockBytes - log->size() % kBlockBytes;
    if (room < kHeadBytes) {
      log->append(room, '\0');
      room = kBlockBytes;
    }
    const std::string_view part = record.substr(0, room - kHeadBytes);
    record.remove_prefix(part.size());
    const FragmentType type =
        record.empty() ? (is_begun ? kLast : kWhole) : (is_begun ? kMiddle : kFirst);
    std::string typed(1, static_cast<char>(type));
    typed.append(part);
    PutLittleEndian(MaskedCrc(typed), 4, log);
    PutLittleEndian(static_cast<uint32_t>(part.size()), 2, log);
    log->append(typed);
    is_begun = true;
  } while (!record.empty());
}

// The log's number in an entry of the list of files, RocksDB's VersionEdit: fields of a tag and a
// value, the number among the first; 0 where it has none.
uint64_t LogNumberOf(std::string_view edit) {
  enum Tag : uint8_t { kComparator = 1, kLogNumber = 2, kNextFile = 3, kLastSequence = 4 };
  constexpr uint64_t kPrevLogNumber = 9;
  ByteReader in(edit);
  uint64_t tag = 0;
  uint64_t value = 0;
  std::string_view text;
  while (in.Varint(&tag)) {
    if (tag == kComparator ? !in.Bytes(&text) : !in.Varint(&value)) return 0;
    if (tag == kLogNumber) return value;
    if (tag > kLastSequence && tag != kPrevLogNumber) return 0;
  }
  return 0;
}

uint64_t NumberOf(const std::string& log_name) {
  return std::strtoull(log_name.c_str(), nullptr, 10);
}

// The oldest first.
std::vector<std::string> LogNames(const std::string& db_path, rocksdb::Env* env) {
  std::vector<std::string> names;
  if (!env->GetChildren(db_path, &names).ok()) return {};
  std::erase_if(names, [](const std::string& name) { return !name.ends_with(".log"); });
  std::sort(names.begin(), names.end(),
            [](const std::string& a, const std::string& b) { return NumberOf(a) < NumberOf(b); });
  return names;
}

}  // namespace

LogClaims ReadLogClaims(const std::string& db_path, rocksdb::Env* env) {
  Claims claims;
  for (const std::string& name : LogNames(db_path, env)) {
    std::string path = db_path;
    path.append("/").append(name);
    std::string log;
    if (rocksdb::ReadFileToString(env, path, &log).ok()) {
      ReadLog(
          log, [&](const std::string& record) { claims.OnRecord(record); },
          [&] { claims.OnUnreadable(); });
    } else {
      claims.OnUnreadable();
    }
  }
  return claims.claims();
}

std::string ReadableRecords(std::string_view log) {
  std::string readable;
  ReadLog(
      log, [&](const std::string& record) { AppendRecord(record, &readable); }, [] {});
  return readable;
}

uint64_t NewestLogAtLeast(const std::string& db_path, rocksdb::Env* env) {
  std::string name;
  std::string list;
  if (!rocksdb::ReadFileToString(env, db_path + "/CURRENT", &name).ok()) return 0;
  while (name.ends_with('\n')) name.pop_back();
  if (!rocksdb::ReadFileToString(env, db_path + "/" + name, &list).ok()) return 0;
  uint64_t number = 0;
  ReadLog(
      list, [&](const std::string& edit) { number = std::max(number, LogNumberOf(edit)); }, [] {});
  return number;
}

bool HasLogFrom(const std::string& db_path, uint64_t number, rocksdb::Env* env) {
  const std::vector<std::string> names = LogNames(db_path, env);
  return !names.empty() && NumberOf(names.back()) >= number;
}

std::string LogName(uint64_t number) {
  const std::string digits = std::to_string(number);
  return std::string(digits.size() < 6 ? 6 - digits.size() : 0, '0') + digits + ".log";
}

}  // namespace tokend
