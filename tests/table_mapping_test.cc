#include "import/table_mapping.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
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

TEST(ParseConditionTest, ReadsValues) {
  RowCondition condition;
  ASSERT_TRUE(ParseCondition("a=b,,c=d", &condition).ok());
  EXPECT_EQ(condition.column, "a");
  EXPECT_THAT(condition.values, testing::ElementsAre("b", "", "c=d"));
  ASSERT_TRUE(ParseCondition("`a=b`=", &condition).ok());
  EXPECT_EQ(condition.column, "a=b");
  EXPECT_THAT(condition.values, testing::ElementsAre(""));
  for (const char* wrong : {"", "a", "=b", "``=b"}) {
    EXPECT_FALSE(ParseCondition(wrong, &condition).ok()) << wrong;
  }
}

TEST(PresetsTest, AreMappings) {
  // Whose tokens do not expire, or not by anything in their database.
  const std::set<std::string_view> immortal = {"drf-authtoken", "magento-integration",
                                               "woocommerce"};
  // Whose older releases have none.
  const std::set<std::string_view> optional = {"laravel-sanctum", "mattermost", "strapi"};
  std::set<std::string_view> names;
  for (const Preset& preset : Presets()) {
    SCOPED_TRACE(preset.name);
    EXPECT_TRUE(names.insert(preset.name).second);
    EXPECT_EQ(FindPreset(preset.name), &preset);
    EXPECT_FALSE(preset.stored.empty());
    TableMapping mapping;
    Status status = ParseMapping(preset.columns, &mapping);
    EXPECT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(MappingOf(preset).fields.size(), mapping.fields.size());
    const auto of_table = PresetsOfTable(preset.table);
    EXPECT_EQ(std::count(of_table.begin(), of_table.end(), &preset), preset.by_name_only ? 0 : 1);
    if (!preset.refused.empty()) continue;
    // An expiry that is looked past makes tokens immortal.
    const FieldMapping* expiry = mapping.Find(Field::kExpiresAt);
    const bool is_sure =
        (expiry != nullptr && !expiry->optional) || mapping.Find(Field::kExpiresIn) != nullptr;
    EXPECT_EQ(expiry != nullptr && expiry->optional, optional.contains(preset.name));
    if (!is_sure && !optional.contains(preset.name)) {
      EXPECT_NE(preset.lifetime_from != Field::kToken, immortal.contains(preset.name));
    }
    if (preset.lifetime_from != Field::kToken) {
      EXPECT_NE(mapping.Find(preset.lifetime_from), nullptr);
    }
  }
  EXPECT_EQ(FindPreset("users"), nullptr);
}

TEST(PresetsTest, AreFoundByTable) {
  const auto first = [](std::string_view table) {
    const auto found = PresetsOfTable(table);
    return found.empty() ? "" : found.front()->name;
  };
  EXPECT_EQ(first("api_token"), "api_token");
  EXPECT_EQ(first("API_TOKEN"), "api_token");
  EXPECT_EQ(first("wp_api_token"), "");
  EXPECT_EQ(first("mdl_external_tokens"), "moodle");
  EXPECT_EQ(first("_external_tokens"), "");
  EXPECT_EQ(first("xexternal_tokens"), "");
  EXPECT_EQ(first("users"), "");
  EXPECT_EQ(PresetsOfTable("oauth_access_tokens").size(), 2u);
}

}  // namespace
}  // namespace tokend
