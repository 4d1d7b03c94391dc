#include "import/table_mapping.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "import/importer.h"
#include "import/presets.h"

namespace tokend {
namespace {

using testing::HasSubstr;

TEST(ParseMappingTest, ReadsEntries) {
  TableMapping mapping;
  Status status = ParseMapping(
      "token=key,owner=`user,id=:x`:hex,expires_at=until:epoch_ms,created_at=made?,"
      "status=state?:on/OK",
      &mapping);
  ASSERT_TRUE(status.ok()) << status.message();
  ASSERT_EQ(mapping.fields.size(), 5u);
  EXPECT_EQ(mapping.fields[0].field, Field::kToken);
  EXPECT_EQ(mapping.fields[0].column, "key");
  EXPECT_EQ(mapping.fields[0].reading, Reading::kAuto);
  EXPECT_FALSE(mapping.fields[0].optional);
  EXPECT_EQ(mapping.fields[1].column, "user,id=:x");
  EXPECT_EQ(mapping.fields[1].reading, Reading::kHex);
  EXPECT_EQ(mapping.fields[2].reading, Reading::kEpochMilliseconds);
  EXPECT_EQ(mapping.fields[3].column, "made");
  EXPECT_TRUE(mapping.fields[3].optional);
  EXPECT_TRUE(mapping.fields[4].optional);
  EXPECT_EQ(mapping.fields[4].reading, Reading::kWords);
  EXPECT_THAT(mapping.fields[4].live_words, testing::ElementsAre("on", "OK"));
  EXPECT_EQ(mapping.Find(Field::kOwner), &mapping.fields[1]);
  EXPECT_EQ(mapping.Find(Field::kName), nullptr);
}

TEST(ParseMappingTest, SaysWhatIsWrong) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "exactly one of token="},
      {"owner=a", "exactly one of token="},
      {"token=a,key_hex=b", "exactly one of token="},
      {"token", "FIELD=COLUMN"},
      {"token=a,expire_at=b",
       "'expire_at=b': should be FIELD=COLUMN, where FIELD is one of token,"},
      {"token=a,,owner=b", "FIELD=COLUMN"},
      {"token=a,token=b", "named twice"},
      {"token=", "names no column"},
      {"token=?", "names no column"},
      {"token=a,expires_at=b:seconds", "epoch_s, epoch_ms or datetime"},
      {"token=a,expires_at=b:", "nothing follows the colon"},
      {"token=a,owner=b:epoch_s", "hex or text"},
      {"token=a,status=b:x//y", "an empty word"},
      {"token=a:hex", "no other way"},
      {"token=a,expires_in=b", "counts from created_at="},
      {"token=a,expires_in=b,created_at=c?", "counts from created_at="},
      {"token=a,expires_in=b,created_at=c,expires_at=d", "not both"},
  };
  for (const auto& [text, want] : cases) {
    TableMapping mapping;
    Status status = ParseMapping(text, &mapping);
    EXPECT_EQ(status.code(), ErrorCode::kBadParams) << text;
    EXPECT_THAT(status.message(), HasSubstr(want)) << text;
  }
}

TEST(ParseMappingTest, NamesEveryFieldInItsHelp) {
  for (size_t i = 0; i < kFields; ++i) {
    EXPECT_THAT(kColumnsHelp, HasSubstr(std::string(FieldName(static_cast<Field>(i)))));
  }
}

TEST(PresetsTest, AreMappings) {
  std::set<std::string_view> names;
  for (const Preset& preset : Presets()) {
    SCOPED_TRACE(preset.table);
    EXPECT_TRUE(names.insert(preset.table).second);
    TableMapping mapping;
    Status status = ParseMapping(preset.columns, &mapping);
    EXPECT_TRUE(status.ok()) << status.message();
    // An expiry that is looked past makes tokens immortal.
    ASSERT_NE(mapping.Find(Field::kExpiresAt), nullptr);
    EXPECT_FALSE(mapping.Find(Field::kExpiresAt)->optional);
    EXPECT_EQ(FindPreset(preset.table), &preset);
  }
  EXPECT_EQ(FindPreset("users"), nullptr);
  EXPECT_EQ(FindPreset("API_TOKEN"), nullptr);
}

}  // namespace
}  // namespace tokend
