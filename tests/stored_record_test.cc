#include "storage/stored_record.h"

#include <gtest/gtest.h>

#include <memory>

namespace tokend {
namespace {

StoredRecord Full() {
  StoredRecord stored;
  Record& r = stored.record;
  r.owner = "alice";
  r.name = "ci";
  r.scopes = {"read", "write"};
  r.source_id = "42";
  r.attributes = std::string("\x81\xa1k\x01", 4);
  r.created_at_ms = 1000;
  r.updated_at_ms = 2000;
  r.expires_at_ms = 0x0102030405060708 >> 11;
  r.generation = 3;
  r.revoked = true;
  stored.inserted_sequence = 300;
  stored.sequence = 301;
  return stored;
}

std::string Encode(const StoredRecord& stored) {
  std::string bytes;
  EncodeStoredRecord(stored, &bytes);
  return bytes;
}

void ExpectSame(const StoredRecord& a, const StoredRecord& b) {
  EXPECT_EQ(a.record.owner, b.record.owner);
  EXPECT_EQ(a.record.name, b.record.name);
  EXPECT_EQ(a.record.scopes, b.record.scopes);
  EXPECT_EQ(a.record.source_id, b.record.source_id);
  EXPECT_EQ(a.record.attributes, b.record.attributes);
  EXPECT_EQ(a.record.created_at_ms, b.record.created_at_ms);
  EXPECT_EQ(a.record.updated_at_ms, b.record.updated_at_ms);
  EXPECT_EQ(a.record.expires_at_ms, b.record.expires_at_ms);
  EXPECT_EQ(a.record.generation, b.record.generation);
  EXPECT_EQ(a.record.revoked, b.record.revoked);
  EXPECT_EQ(a.inserted_sequence, b.inserted_sequence);
  EXPECT_EQ(a.sequence, b.sequence);
  EXPECT_EQ(a.KeptFromMs(), b.KeptFromMs());
  EXPECT_EQ(a.sealed, b.sealed);
}

StoredRecord Sealed() {
  StoredRecord stored = Full();
  stored.sealed = std::string(300, '\1');
  return stored;
}

// The example of docs/storage.md.
TEST(StoredRecordTest, HasTheBytesOfTheFormat) {
  StoredRecord stored;
  stored.record.owner = "bob";
  stored.record.scopes = {"r"};
  stored.record.expires_at_ms = 0x1234;
  stored.record.created_at_ms = 5;
  stored.record.updated_at_ms = 300;
  stored.inserted_sequence = 7;
  stored.sequence = 8;
  const std::string expected(
      "\x01\x29"                          // version, owner | expires | scopes
      "\x00\x00\x00\x00\x00\x00\x12\x34"  // expires
      "\x05\xac\x02\x01\x07\x08"          // created, updated, generation, sequences
      "\x03"
      "bob"
      "\x01\x01"
      "r",
      23);
  EXPECT_EQ(Encode(stored), expected);
  StoredRecord back;
  ASSERT_TRUE(DecodeStoredRecord(expected, &back));
  ExpectSame(back, stored);
}

TEST(StoredRecordTest, RoundTripsFullAndEmpty) {
  StoredRecord empty_owner;
  empty_owner.record.owner = "";
  StoredRecord expired_when_written = Full();
  expired_when_written.written_expired_at_ms = expired_when_written.record.expires_at_ms + 5;
  StoredRecord largest = Full();
  largest.record.updated_at_ms = kTimeMsMax;
  largest.sequence = UINT64_MAX;
  for (const StoredRecord& stored :
       {StoredRecord{}, Full(), empty_owner, expired_when_written, largest, Sealed()}) {
    StoredRecord back = Sealed();  // what was there before must not show through
    ASSERT_TRUE(DecodeStoredRecord(Encode(stored), &back));
    ExpectSame(back, stored);
    EXPECT_EQ(StoredRecordKeptFrom(Encode(stored)), stored.KeptFromMs());
  }
}

TEST(StoredRecordTest, RefusesEveryCutAndSurplus) {
  StoredRecord back;
  for (const std::string& bytes : {Encode(Full()), Encode(Sealed())}) {
    for (size_t size = 0; size < bytes.size(); ++size) {
      const auto exact = std::make_unique<char[]>(size);  // so that an over-read is caught
      std::copy_n(bytes.data(), size, exact.get());
      EXPECT_FALSE(DecodeStoredRecord({exact.get(), size}, &back)) << size;
    }
    EXPECT_FALSE(DecodeStoredRecord(bytes + '\0', &back));
  }
  std::string newer = Encode(Full());
  newer[0] = 3;
  EXPECT_FALSE(DecodeStoredRecord(newer, &back));
  EXPECT_EQ(StoredRecordKeptFrom(newer), std::nullopt);
}

// It is that of a record without, and the sealed token behind it.
TEST(StoredRecordTest, ASealedTokenStandsAtTheEnd) {
  StoredRecord stored = Full();
  std::string expected = Encode(stored);
  EXPECT_EQ(expected[0], 1);
  stored.sealed = "sealed";
  expected[0] = 2;
  EXPECT_EQ(Encode(stored), expected + "\x06sealed");
  StoredRecord back;
  EXPECT_FALSE(DecodeStoredRecord(expected + '\0', &back)) << "version 2 has one";
}

TEST(StoredRecordTest, SurvivesEveryByteChanged) {
  const std::string bytes = Encode(Sealed());
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (const int value : {0x00, 0x7f, 0x80, 0xff}) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(value);
      StoredRecord back;
      if (DecodeStoredRecord(damaged, &back)) {
        // Whatever it decodes to, it is a record that can be written again.
        StoredRecord again;
        EXPECT_TRUE(DecodeStoredRecord(Encode(back), &again));
      }
    }
  }
}

}  // namespace
}  // namespace tokend
