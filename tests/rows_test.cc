#include "storage/rows.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace tokend {
namespace {

TokenKey KeyOf(uint8_t first) {
  TokenKey key;
  key.bytes.fill(0x11);
  key.bytes[0] = first;
  return key;
}

TEST(RowsTest, TokenRowKeysHaveTheBytesOfTheFormat) {
  const std::string row = TokenRowKey(0x0102, KeyOf(0xaa));
  EXPECT_EQ(row, std::string("\x01\x02\xaa") + std::string(31, '\x11'));
  const TokenRowName name = ParseTokenRowKey(row);
  EXPECT_EQ(name.ns, 0x0102);
  EXPECT_EQ(name.key, KeyOf(0xaa));
}

TEST(RowsTest, IndexRowsSortByClassThenExpiryThenKey) {
  const std::string prefix = OwnerIndexPrefix(7, "bob");
  EXPECT_EQ(prefix, std::string("\x00\x07\x00\x03"
                                "bob",
                                7));
  const std::vector<IndexEntry> in_order = {{false, 0, KeyOf(9)},      {false, 1, KeyOf(1)},
                                            {false, 1, KeyOf(2)},      {false, 256, KeyOf(0)},
                                            {false, kNever, KeyOf(0)}, {true, 0, KeyOf(0)},
                                            {true, kNever, KeyOf(255)}};
  std::vector<std::string> rows;
  for (const IndexEntry& entry : in_order) {
    rows.push_back(IndexRowKey(prefix, entry));
    const auto back = ParseIndexRowKey(rows.back());
    ASSERT_TRUE(back);
    EXPECT_EQ(back->revoked, entry.revoked);
    EXPECT_EQ(back->expires_at_ms, entry.expires_at_ms);
    EXPECT_EQ(back->key, entry.key);
  }
  EXPECT_TRUE(std::is_sorted(rows.begin(), rows.end()));
  EXPECT_FALSE(ParseIndexRowKey("short"));
}

TEST(RowsTest, AnOwnersPrefixIsNoOtherOwners) {
  const std::string row = IndexRowKey(OwnerIndexPrefix(1, "bobby"), {false, 1, KeyOf(1)});
  EXPECT_FALSE(row.starts_with(OwnerIndexPrefix(1, "bob")));
  EXPECT_NE(OwnerIndexPrefix(1, ""), ExpiryIndexPrefix(1));
}

TEST(RowsTest, RangesHoldTheirEdges) {
  const std::string prefix = ExpiryIndexPrefix(1);
  const auto inside = [&](const IndexRange& range, const IndexEntry& entry) {
    const std::string row = IndexRowKey(prefix, entry);
    return range.start <= row && row < range.end;
  };
  const IndexRange window = MakeIndexRange(prefix, false, 10, 20);
  EXPECT_FALSE(inside(window, {false, 9, KeyOf(255)}));
  EXPECT_TRUE(inside(window, {false, 10, TokenKey{}}));
  EXPECT_TRUE(inside(window, {false, 19, KeyOf(255)}));
  EXPECT_FALSE(inside(window, {false, 20, TokenKey{}}));
  EXPECT_FALSE(inside(window, {true, 15, KeyOf(1)}));
  const IndexRange open = MakeIndexRange(prefix, true, 10, std::nullopt);
  EXPECT_TRUE(inside(open, {true, kNever, KeyOf(255)}));
  EXPECT_FALSE(inside(open, {false, kNever, KeyOf(255)}));
}

TEST(RowsTest, IndexRowsJudgeTheirRetentionAlone) {
  StoredRecord stored;
  stored.record.key = KeyOf(1);
  const auto kept_from = [&] {
    return IndexRowKeptFrom(IndexRowKey(ExpiryIndexPrefix(1), IndexEntryOf(stored)),
                            IndexRowValue(stored));
  };
  EXPECT_EQ(kept_from(), kNever);
  EXPECT_TRUE(IndexRowValue(stored).empty());
  stored.record.expires_at_ms = 500;
  EXPECT_EQ(kept_from(), 500u);
  EXPECT_TRUE(IndexRowValue(stored).empty());
  stored.written_expired_at_ms = 900;  // imported long after it had expired
  EXPECT_EQ(kept_from(), 900u);
  EXPECT_EQ(IndexRowKeptFrom("short", ""), std::nullopt);
}

TEST(RowsTest, MetaRowsRoundTrip) {
  NamespaceId ns = 0;
  DigestScheme scheme = DigestScheme::kSha256;
  std::string name;
  ASSERT_TRUE(DecodeNamespaceRow(NamespaceRowKey(300),
                                 EncodeNamespaceRow(DigestScheme::kSha256AfterBar, "api"), &ns,
                                 &scheme, &name));
  EXPECT_EQ(ns, 300);
  EXPECT_EQ(scheme, DigestScheme::kSha256AfterBar);
  EXPECT_EQ(name, "api");
  EXPECT_FALSE(DecodeNamespaceRow(NamespaceRowKey(1), "\x7fxx", &ns, &scheme, &name));

  CutoffRow cutoff;
  ASSERT_TRUE(DecodeCutoffRow(EncodeCutoffRow({500, 600, true}), &cutoff));
  EXPECT_EQ(cutoff.sequence, 500u);
  EXPECT_EQ(cutoff.at_ms, 600u);
  EXPECT_TRUE(cutoff.swept);
  std::string owner;
  ASSERT_TRUE(ParseCutoffRowKey(CutoffRowKey(9, "x\0y"), &ns, &owner));
  EXPECT_EQ(ns, 9);

  UsageRow usage;
  ASSERT_TRUE(DecodeUsageRow(EncodeUsageRow({1, 2, 300}), &usage));
  EXPECT_EQ(usage.kept_from_ms, 1u);
  EXPECT_EQ(usage.last_used_at_ms, 2u);
  EXPECT_EQ(usage.use_count, 300u);
  EXPECT_FALSE(DecodeUsageRow("", &usage));

  ReclaimClock::State state;
  ASSERT_TRUE(DecodeReclaimClockRow(EncodeReclaimClockRow({7, 8}), &state));
  EXPECT_EQ(state.now_ms, 7u);
  EXPECT_EQ(state.gap_age_ms, 8u);
}

}  // namespace
}  // namespace tokend
