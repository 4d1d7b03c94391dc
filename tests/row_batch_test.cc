#include "import/row_batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace tokend {
namespace {

TEST(RowBatchTest, KeepsWhatRowsPointTo) {
  RowBatch batch;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 3000; ++i) {
      // On the heap and gone at once: a view that was not copied is caught.
      auto text =
          std::make_unique<std::string>("row " + std::to_string(i) + std::string(i % 90, 'x'));
      ImportRow row;
      row.token.is_key = true;
      row.token.key.bytes[0] = static_cast<uint8_t>(i);
      row.owner = *text;
      if (i % 2 == 0) row.name = "";
      row.scopes = {*text, std::string_view(*text).substr(0, 3)};
      row.source_id = *text;
      row.expires_at_ms = static_cast<uint64_t>(i);
      batch.Add(row);
    }
    ASSERT_EQ(batch.rows().size(), 3000u);
    size_t bytes = 0;
    for (int i = 0; i < 3000; ++i) {
      std::string text = "row " + std::to_string(i) + std::string(i % 90, 'x');
      const ImportRow& row = batch.rows()[static_cast<size_t>(i)];
      ASSERT_EQ(row.owner, text);
      ASSERT_EQ(row.name, i % 2 == 0 ? std::optional<std::string_view>("") : std::nullopt);
      ASSERT_THAT(row.scopes, testing::ElementsAre(text, "row"));
      ASSERT_EQ(row.source_id, text);
      ASSERT_EQ(row.expires_at_ms, static_cast<uint64_t>(i));
      ASSERT_EQ(row.token.key.bytes[0], static_cast<uint8_t>(i));
      bytes += 3 * text.size() + 3;
    }
    EXPECT_EQ(batch.text_bytes(), bytes);
    batch.Clear();
    EXPECT_TRUE(batch.empty());
    EXPECT_EQ(batch.text_bytes(), 0u);
  }
}

TEST(RowBatchTest, TakesTextOfAnySize) {
  RowBatch batch;
  std::string big(1 << 20, 'b');
  for (int i = 0; i < 3; ++i) {
    ImportRow row;
    row.owner = big;
    row.name = "small";
    batch.Add(row);
  }
  EXPECT_EQ(batch.rows()[2].owner, big);
  EXPECT_EQ(batch.rows()[0].name, "small");
}

}  // namespace
}  // namespace tokend
