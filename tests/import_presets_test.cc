// Each preset against a table of its project's own definition: columns as in the newest release
// whose source was read (import/presets.cc names it), and a row or two.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "import/presets.h"
#include "tests/import_fixture.h"

namespace tokend {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Optional;
using namespace std::string_literals;

constexpr uint64_t k2030Ms = 1893456000000;  // 2030-01-01

TEST(PresetTest, LaravelSanctum) {
  const std::string sql =
      "CREATE TABLE `app_personal_access_tokens` (`id` bigint unsigned NOT NULL AUTO_INCREMENT,"
      "`tokenable_type` varchar(255), `tokenable_id` bigint unsigned, `name` varchar(255),"
      "`token` varchar(64), `abilities` text, `last_used_at` timestamp NULL,"
      "`expires_at` timestamp NULL, `created_at` timestamp NULL, `updated_at` timestamp NULL,"
      "PRIMARY KEY (`id`), UNIQUE KEY (`token`));"
      "INSERT INTO `app_personal_access_tokens` VALUES (3,'App\\\\Models\\\\User',42,'ci','" +
      KeyOf("abc") +
      "','[\"*\"]',NULL,'2030-01-01 00:00:00','2029-01-01 00:00:00','2029-01-01 00:00:00'),"
      "(4,'App\\\\Models\\\\User',43,'old','" +
      KeyOf("def") + "','[\"read\"]',NULL,NULL,'2029-01-01 00:00:00',NULL);";
  const std::string table = "app_personal_access_tokens";
  Outcome outcome = ImportText(sql, {});
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.message();
  ASSERT_EQ(outcome.rows(table).size(), 2u);
  const GotRow& row = outcome.rows(table)[0];
  EXPECT_EQ(outcome.table(table).table.scheme, DigestScheme::kSha256AfterBar);
  // Who presents "3|abc" is found.
  Digester digester;
  EXPECT_EQ(row.key, Hex(digester.Digest(DigestScheme::kSha256AfterBar, "3|abc").view()));
  EXPECT_THAT(row.owner, Optional("42"s));
  EXPECT_THAT(row.scopes, ElementsAre("*"));
  EXPECT_EQ(row.expires_at_ms, k2030Ms);
  EXPECT_EQ(row.source_id, "3");
  EXPECT_EQ(outcome.rows(table)[1].expires_at_ms, kNever);

  // What sanctum.expiration says is told by hand.
  ImportOptions options;
  options.lifetime_ms = 86'400'000;
  outcome = ImportText(sql, options);
  constexpr uint64_t k2029Ms = 1861920000000;
  EXPECT_EQ(outcome.rows(table)[0].expires_at_ms, k2029Ms + 86'400'000);
  EXPECT_EQ(outcome.rows(table)[1].expires_at_ms, k2029Ms + 86'400'000);
}

TEST(PresetTest, OauthAccessTokensOfPassportAndOfDoorkeeper) {
  const std::string passport =
      "CREATE TABLE `oauth_access_tokens` (`id` varchar(100), `user_id` bigint unsigned,"
      "`client_id` bigint unsigned, `name` varchar(255), `scopes` text, `revoked` tinyint(1),"
      "`created_at` timestamp NULL, `updated_at` timestamp NULL, `expires_at` datetime,"
      "PRIMARY KEY (`id`));"
      "INSERT INTO `oauth_access_tokens` VALUES ('ab',1,1,NULL,'[]',0,NULL,NULL,NULL);";
  Outcome outcome = ImportText(passport, {});
  EXPECT_EQ(outcome.status.code(), ErrorCode::kBadParams);
  EXPECT_THAT(outcome.status.message(), HasSubstr("the jti inside a signed JWT"));
  EXPECT_EQ(outcome.sink.tables.size(), 0u);

  const auto doorkeeper = [](const std::string& token, const std::string& preset) {
    ImportOptions options;
    options.preset = preset;
    if (!preset.empty()) options.tables = {"oauth_access_tokens"};
    return ImportText(
        "CREATE TABLE `oauth_access_tokens` (`id` bigint NOT NULL AUTO_INCREMENT,"
        "`resource_owner_id` bigint, `application_id` bigint NOT NULL, `token` varchar(255),"
        "`refresh_token` varchar(255), `expires_in` int, `scopes` varchar(255),"
        "`created_at` datetime(6) NOT NULL, `revoked_at` datetime(6),"
        "`previous_refresh_token` varchar(255) DEFAULT '', PRIMARY KEY (`id`));"
        "INSERT INTO `oauth_access_tokens` VALUES (1,9,1,'" +
            token + "',NULL,7200,'read write','2030-01-01 00:00:00.000000',NULL,'')," + "(2,9,1,'" +
            std::string(64, '1') +
            "',NULL,NULL,'','2030-01-01 00:00:00.000000','2030-01-02 00:00:00.000000','');",
        options);
  };
  outcome = doorkeeper("abc", "");
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.message();
  ASSERT_EQ(outcome.rows("oauth_access_tokens").size(), 2u);
  const GotRow& row = outcome.rows("oauth_access_tokens")[0];
  EXPECT_EQ(row.key, KeyOf("abc"));
  EXPECT_THAT(row.owner, Optional("9"s));
  EXPECT_THAT(row.scopes, ElementsAre("read", "write"));
  EXPECT_EQ(row.expires_at_ms, k2030Ms + 7'200'000);
  EXPECT_FALSE(row.revoked);
  EXPECT_TRUE(outcome.rows("oauth_access_tokens")[1].revoked);

  outcome = doorkeeper(KeyOf("abc"), "doorkeeper-hashed");
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.message();
  EXPECT_EQ(outcome.rows("oauth_access_tokens")[0].key, KeyOf("abc"));
}

TEST(PresetTest, DjangoRestFramework) {
  Outcome outcome = ImportText(
      "CREATE TABLE `authtoken_token` (`key` varchar(40) NOT NULL, `created` datetime(6) NOT NULL,"
      "`user_id` int NOT NULL, PRIMARY KEY (`key`));"
      "INSERT INTO `authtoken_token` VALUES ('9944b091','2030-01-01 00:00:00.000000',7);",
      {});
  ASSERT_EQ(outcome.rows("authtoken_token").size(), 1u);
  EXPECT_EQ(outcome.rows("authtoken_token")[0].key, KeyOf("9944b091"));
  EXPECT_THAT(outcome.rows("authtoken_token")[0].owner, Optional("7"s));
  EXPECT_THAT(outcome.report.notes,
              Contains("authtoken_token: no column says when tokens expire, so they never do; if "
                       "they should, say --lifetime"));
  // The primary key is the token, and no id.
  EXPECT_EQ(outcome.rows("authtoken_token")[0].source_id, "");
}

// The digests are what Python's hashlib and hmac make of the tokens.
TEST(PresetTest, DjangoRestKnox) {
  const std::string digest =
      "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3fe"
      "ebbd454d4423643ce80e2a9ac94fa54ca49f";
  Outcome outcome = ImportText(
      "CREATE TABLE `knox_authtoken` (`digest` varchar(128) NOT NULL, `created` datetime(6),"
      "`user_id` int NOT NULL, `expiry` datetime(6), `token_key` varchar(25),"
      "PRIMARY KEY (`digest`));"
      "INSERT INTO `knox_authtoken` VALUES ('" +
          digest + "','2029-01-01 00:00:00.000000',7,'2030-01-01 00:00:00.000000','abc'),('" +
          digest.substr(0, 64) + "',NULL,7,NULL,'abc'),('" + digest.substr(0, 127) +
          "g',NULL,7,NULL,'abc');",
      {});
  ASSERT_EQ(outcome.rows("knox_authtoken").size(), 1u) << outcome.status.message();
  EXPECT_EQ(outcome.table("knox_authtoken").table.scheme, DigestScheme::kSha512);
  Digester digester;
  EXPECT_EQ(outcome.rows("knox_authtoken")[0].key,
            Hex(digester.Digest(DigestScheme::kSha512, "abc").view()));
  EXPECT_EQ(outcome.rows("knox_authtoken")[0].expires_at_ms, k2030Ms);
  EXPECT_THAT(outcome.refusals("knox_authtoken"), ElementsAre("bad_key:2"));
}

TEST(PresetTest, Woocommerce) {
  Outcome outcome = ImportText(
      "CREATE TABLE `wp_woocommerce_api_keys` (`key_id` bigint unsigned AUTO_INCREMENT,"
      "`user_id` bigint unsigned, `description` varchar(200), `permissions` varchar(10),"
      "`consumer_key` char(64), `consumer_secret` char(43), `nonces` longtext,"
      "`truncated_key` char(7), `last_access` datetime, PRIMARY KEY (`key_id`));"
      "INSERT INTO `wp_woocommerce_api_keys` VALUES (1,2,'till','read_write',"
      "'a1293b40607a40315d2a34caaeba579dc8ee260246a128fa07a30b1fa497de50','cs_x',NULL,'ck_abc',"
      "NULL);",
      {});
  ASSERT_EQ(outcome.rows("wp_woocommerce_api_keys").size(), 1u) << outcome.status.message();
  const GotRow& row = outcome.rows("wp_woocommerce_api_keys")[0];
  Digester digester;
  EXPECT_EQ(row.key, Hex(digester.Digest(DigestScheme::kHmacWcApi, "ck_abc").view()));
  EXPECT_THAT(row.owner, Optional("2"s));
  EXPECT_THAT(row.scopes, ElementsAre("read_write"));
}

TEST(PresetTest, DjangoOauthToolkit) {
  const auto import = [](const std::string& checksum_column, const std::string& checksum) {
    return ImportText(
        "CREATE TABLE `oauth2_provider_accesstoken` (`id` bigint AUTO_INCREMENT,"
        "`token` longtext NOT NULL," +
            checksum_column +
            "`expires` datetime(6) NOT NULL, `scope` longtext NOT NULL,"
            "`application_id` bigint, `user_id` int, `created` datetime(6),"
            "`updated` datetime(6), `source_refresh_token_id` bigint,"
            "`id_token_id` bigint, PRIMARY KEY (`id`));"
            "INSERT INTO `oauth2_provider_accesstoken` VALUES (1,'abc'," +
            checksum +
            "'2030-01-01 00:00:00.000000','read write',1,7,"
            "'2029-01-01 00:00:00.000000','2029-01-01 00:00:00.000000',NULL,NULL);",
        {});
  };
  for (const bool is_new : {false, true}) {
    Outcome outcome = is_new ? import("`token_checksum` varchar(64),", "'" + KeyOf("abc") + "',")
                             : import("", "");
    ASSERT_EQ(outcome.rows("oauth2_provider_accesstoken").size(), 1u) << is_new;
    const GotRow& row = outcome.rows("oauth2_provider_accesstoken")[0];
    EXPECT_EQ(row.key, KeyOf("abc"));
    EXPECT_THAT(row.scopes, ElementsAre("read", "write"));
    EXPECT_EQ(row.expires_at_ms, k2030Ms);
    EXPECT_EQ(outcome.table("oauth2_provider_accesstoken").table.mapping,
              is_new ? "preset django-oauth-toolkit" : "preset django-oauth-toolkit-2");
  }
}

TEST(PresetTest, SessionsOfPhpbbAndOfExpress) {
  const std::string phpbb =
      "CREATE TABLE `forum_sessions` (`session_id` char(32), `session_user_id` int unsigned,"
      "`session_last_visit` int unsigned, `session_start` int unsigned, `session_time` int "
      "unsigned,"
      "`session_ip` varchar(40), PRIMARY KEY (`session_id`));"
      "INSERT INTO `forum_sessions` VALUES ('abc',2,0,1893450000,1893456000,'::1');";
  Outcome outcome = ImportText(phpbb, {});
  EXPECT_EQ(outcome.status.code(), ErrorCode::kBadParams);
  EXPECT_THAT(outcome.status.message(), HasSubstr("say it as --lifetime"));
  ImportOptions options;
  options.lifetime_ms = 3'600'000;
  outcome = ImportText(phpbb, options);
  ASSERT_EQ(outcome.rows("forum_sessions").size(), 1u);
  EXPECT_EQ(outcome.rows("forum_sessions")[0].expires_at_ms, k2030Ms + 3'600'000);
  EXPECT_THAT(outcome.rows("forum_sessions")[0].owner, Optional("2"s));

  outcome = ImportText(
      "CREATE TABLE `sessions` (`session_id` varchar(128) COLLATE utf8mb4_bin NOT NULL,"
      "`expires` int(11) unsigned NOT NULL, `data` mediumtext, PRIMARY KEY (`session_id`));"
      "INSERT INTO `sessions` VALUES ('abc',1893456000,'{}');",
      {});
  ASSERT_EQ(outcome.rows("sessions").size(), 1u);
  EXPECT_EQ(outcome.rows("sessions")[0].key, KeyOf("abc"));
  EXPECT_EQ(outcome.rows("sessions")[0].expires_at_ms, k2030Ms);

  // Laravel's.
  outcome = ImportText(
      "CREATE TABLE `sessions` (`id` varchar(255), `user_id` bigint, `payload` longtext,"
      "`last_activity` int);INSERT INTO `sessions` VALUES ('abc',1,'',1);",
      {});
  EXPECT_THAT(outcome.status.message(), HasSubstr("no known token table"));
}

TEST(PresetTest, Magento) {
  const std::string sql =
      "CREATE TABLE `oauth_token` (`entity_id` int unsigned AUTO_INCREMENT, `consumer_id` int,"
      "`admin_id` int, `customer_id` int, `type` varchar(16), `token` varchar(32),"
      "`secret` varchar(128), `verifier` varchar(32), `callback_url` text, `revoked` smallint,"
      "`authorized` smallint, `user_type` int, `created_at` timestamp, PRIMARY KEY (`entity_id`));"
      "INSERT INTO `oauth_token` VALUES "
      "(1,5,NULL,NULL,'access','abc','s','v','',0,1,1,'2030-01-01 00:00:00'),"
      "(2,5,NULL,NULL,'request','def','s','v','',0,1,1,'2030-01-01 00:00:00'),"
      "(3,NULL,NULL,8,'access','ghi','s','v','',0,0,3,'2030-01-01 00:00:00');";
  Outcome outcome = ImportText(sql, {});
  EXPECT_THAT(outcome.keys("oauth_token"), ElementsAre(KeyOf("abc")));
  EXPECT_THAT(outcome.rows("oauth_token")[0].owner, Optional("5"s));
  EXPECT_EQ(outcome.table("oauth_token").rows_not_selected, 2u);

  ImportOptions options;
  options.tables = {"oauth_token"};
  options.preset = "magento-customer";
  options.lifetime_ms = 3'600'000;
  outcome = ImportText(sql, options);
  EXPECT_THAT(outcome.keys("oauth_token"), ElementsAre(KeyOf("ghi")));
  EXPECT_THAT(outcome.rows("oauth_token")[0].owner, Optional("8"s));
  EXPECT_EQ(outcome.rows("oauth_token")[0].expires_at_ms, k2030Ms + 3'600'000);
}

TEST(PresetTest, Moodle) {
  Outcome outcome = ImportText(
      "CREATE TABLE `mdl_external_tokens` (`id` bigint AUTO_INCREMENT, `token` varchar(128),"
      "`privatetoken` varchar(64), `tokentype` smallint, `userid` bigint,"
      "`externalserviceid` bigint, `sid` varchar(128), `contextid` bigint, `creatorid` bigint,"
      "`iprestriction` varchar(255), `validuntil` bigint, `timecreated` bigint,"
      "`lastaccess` bigint, PRIMARY KEY (`id`));"
      "INSERT INTO `mdl_external_tokens` VALUES "
      "(1,'abc','p',0,7,1,NULL,1,2,NULL,0,1893456000,NULL),"
      "(2,'def','p',0,7,1,NULL,1,2,NULL,1893456000,1893450000,1893455000),"
      "(3,'ghi','p',1,7,1,'x',1,2,NULL,NULL,1893450000,NULL);",
      {});
  const auto& rows = outcome.rows("mdl_external_tokens");
  EXPECT_THAT(outcome.keys("mdl_external_tokens"), ElementsAre(KeyOf("abc"), KeyOf("def")));
  EXPECT_EQ(rows[0].expires_at_ms, kNever);
  EXPECT_EQ(rows[1].expires_at_ms, k2030Ms);
  EXPECT_THAT(rows[1].last_used_at_ms, Optional(1893455000000u));
}

TEST(PresetTest, BetterAuth) {
  // base64url of SHA-256("abc").
  const std::string key = "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0";
  for (const char* owner : {"referenceId", "userId"}) {
    Outcome outcome = ImportText(
        "CREATE TABLE `apikey` (`id` varchar(36), `name` text, `start` text, `prefix` text,"
        "`key` varchar(255), `" +
            std::string(owner) +
            "` varchar(255), `enabled` boolean, `remaining` int, `lastRequest` timestamp(3) NULL,"
            "`expiresAt` timestamp(3) NULL, `createdAt` timestamp(3), `updatedAt` timestamp(3),"
            "`permissions` text, `metadata` text, PRIMARY KEY (`id`));"
            "INSERT INTO `apikey` VALUES ('i','n','abc',NULL,'" +
            key +
            "','u',1,NULL,NULL,'2030-01-01 00:00:00.000','2029-01-01 00:00:00.000',"
            "'2029-01-01 00:00:00.000',NULL,NULL),('j','n','abc',NULL,'" +
            std::string(43, 'A') +
            "','u',0,NULL,NULL,NULL,'2029-01-01 00:00:00.000','2029-01-01 "
            "00:00:00.000',NULL,NULL);",
        {});
    ASSERT_EQ(outcome.rows("apikey").size(), 2u) << outcome.status.message();
    EXPECT_EQ(outcome.rows("apikey")[0].key, KeyOf("abc"));
    EXPECT_THAT(outcome.rows("apikey")[0].owner, Optional("u"s));
    EXPECT_EQ(outcome.rows("apikey")[0].expires_at_ms, k2030Ms);
    EXPECT_TRUE(outcome.rows("apikey")[1].revoked);
  }
}

TEST(PresetTest, Mattermost) {
  Outcome outcome = ImportText(
      "CREATE TABLE `UserAccessTokens` (`Id` varchar(26), `Token` varchar(26),"
      "`UserId` varchar(26), `Description` text, `IsActive` tinyint(1), PRIMARY KEY (`Id`));"
      "INSERT INTO `UserAccessTokens` VALUES ('i','abc','u','d',1),('j','def','u','d',0);",
      {});
  ASSERT_EQ(outcome.rows("UserAccessTokens").size(), 2u);
  EXPECT_EQ(outcome.rows("UserAccessTokens")[0].key, KeyOf("abc"));
  EXPECT_FALSE(outcome.rows("UserAccessTokens")[0].revoked);
  EXPECT_TRUE(outcome.rows("UserAccessTokens")[1].revoked);
  EXPECT_EQ(ImportText("CREATE TABLE useraccesstokens (Id int, Token text, UserId int,"
                       "Description text, IsActive int, ExpiresAt bigint);"
                       "INSERT INTO useraccesstokens VALUES (1,'a',1,'',1,0),"
                       "(2,'b',1,'',1,1893456000000);",
                       {})
                .rows("useraccesstokens")[1]
                .expires_at_ms,
            k2030Ms);
}

// Digests with a secret: those below are what Python makes of the tokens, as said with each, with
//   secret = b"s3cr3t"
// What the server makes of a presented token must be the same.
std::string KeyWithSecret(DigestScheme scheme, std::string_view token) {
  Digester digester;
  return Hex(digester.Digest(scheme, token, "s3cr3t").view());
}

TEST(PresetTest, Nextcloud) {
  // hashlib.sha512(b"abcde-abcde-abcde-abcde-abcde" + secret).hexdigest()
  const std::string app_password =
      "280c2b2d22b44183083e8abe36c60b8e4c1b4ff32c19ec857a829358d2a85b08"
      "9804ad6ba37c91d92f13299dcb0f211a7250a31e239e2af7eca793c5e47f826b";
  // hashlib.sha512(b"0123456789abcdefghijklmnop" + secret).hexdigest()
  const std::string session =
      "24510f21e92ccb74ec461ac6c073777cb146df9f301f9cbea9fb06a120b5f2d2"
      "ee12506fa7452a0fd85a36630404ef1267cc5e25bf729469127371f923bc9328";
  const std::string other(128, '1');
  const std::string sql =
      "CREATE TABLE `oc_authtoken` (`id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,"
      "`uid` varchar(64) NOT NULL DEFAULT '', `login_name` varchar(255) NOT NULL DEFAULT '',"
      "`password` longtext DEFAULT NULL, `name` longtext NOT NULL DEFAULT '',"
      "`token` varchar(200) NOT NULL DEFAULT '', `type` smallint(5) unsigned DEFAULT 0,"
      "`remember` smallint(5) unsigned DEFAULT 0, `last_activity` int(10) unsigned DEFAULT 0,"
      "`last_check` int(10) unsigned DEFAULT 0, `scope` longtext DEFAULT NULL,"
      "`expires` int(10) unsigned DEFAULT NULL, `private_key` longtext DEFAULT NULL,"
      "`public_key` longtext DEFAULT NULL, `version` smallint(5) unsigned NOT NULL DEFAULT 1,"
      "`password_invalid` tinyint(1) DEFAULT 0, `password_hash` varchar(255) DEFAULT NULL,"
      "PRIMARY KEY (`id`), UNIQUE KEY `authtoken_token_index` (`token`));"
      "INSERT INTO `oc_authtoken` VALUES "
      "(7,'alice','alice@example.org','pw','phone','" +
      app_password +
      "',1,0,1893456000,0,'{\"filesystem\":true}',NULL,'k','k',2,0,NULL),"
      "(8,'bob','bob',NULL,'oauth','" +
      std::string(128, '2') +
      "',1,0,0,0,NULL,1893456000,'k','k',2,0,NULL),"
      "(9,'bob','bob',NULL,'never','" +
      std::string(128, '3') +
      "',1,0,0,0,NULL,0,'k','k',2,1,NULL),"
      "(10,'alice','alice',NULL,'Firefox','" +
      session + "',0,1,1893456000,0,NULL,NULL,'k','k',2,0,NULL),(11,'alice','alice',NULL,'lost','" +
      other + "',2,0,0,0,NULL,NULL,'k','k',2,0,NULL),(12,'alice','alice',NULL,'old','" + other +
      "',1,0,0,0,NULL,NULL,NULL,NULL,1,0,NULL);";
  const std::string table = "oc_authtoken";
  Outcome outcome = ImportText(sql, {});
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.message();
  EXPECT_EQ(outcome.table(table).table.scheme, DigestScheme::kSha512WithSecret);
  EXPECT_EQ(outcome.table(table).rows_not_selected, 3u);
  ASSERT_EQ(outcome.rows(table).size(), 3u);
  const GotRow& row = outcome.rows(table)[0];
  EXPECT_EQ(row.key,
            KeyWithSecret(DigestScheme::kSha512WithSecret, "abcde-abcde-abcde-abcde-abcde"));
  EXPECT_THAT(row.owner, Optional("alice"s));
  EXPECT_THAT(row.name, Optional("phone"s));
  EXPECT_THAT(row.last_used_at_ms, Optional(k2030Ms));
  EXPECT_EQ(row.expires_at_ms, kNever);
  EXPECT_EQ(row.source_id, "7");
  EXPECT_EQ(outcome.rows(table)[1].expires_at_ms, k2030Ms);
  EXPECT_EQ(outcome.rows(table)[2].expires_at_ms, kNever);
  EXPECT_FALSE(outcome.rows(table)[1].revoked);
  EXPECT_TRUE(outcome.rows(table)[2].revoked);
  EXPECT_THAT(
      outcome.report.notes,
      Contains("oc_authtoken: its tokens are unavailable until the server's configuration "
               "has [[namespace]] name = \"oc_authtoken\", scheme = \"sha512-with-secret\", "
               "secret_file = the path of a file with the secret, which is 'secret' of "
               "config/config.php"));

  ImportOptions options;
  options.tables = {table};
  options.preset = "nextcloud-sessions";
  EXPECT_THAT(ImportText(sql, options).status.message(), HasSubstr("say it as --lifetime"));
  options.lifetime_ms = 86'400'000;
  outcome = ImportText(sql, options);
  ASSERT_EQ(outcome.rows(table).size(), 1u) << outcome.status.message();
  EXPECT_EQ(outcome.rows(table)[0].key,
            KeyWithSecret(DigestScheme::kSha512WithSecret, "0123456789abcdefghijklmnop"));
  EXPECT_EQ(outcome.rows(table)[0].expires_at_ms, k2030Ms + 86'400'000);
}

TEST(PresetTest, Grafana) {
  // hashlib.sha256(b"0123456789abcdef0123456789abcdef" + secret).hexdigest()
  const std::string digest = "3ef4cc4a362d4a52fc15e665818bdd2620d0bf604c106d99ea581b45b350ee81";
  const std::string sql =
      "CREATE TABLE `user_auth_token` (`id` bigint NOT NULL AUTO_INCREMENT,"
      "`user_id` bigint NOT NULL, `auth_token` varchar(100) NOT NULL,"
      "`prev_auth_token` varchar(100) NOT NULL, `user_agent` varchar(255) NOT NULL,"
      "`client_ip` varchar(255) NOT NULL, `auth_token_seen` tinyint(1) NOT NULL, `seen_at` int,"
      "`rotated_at` int NOT NULL, `created_at` int NOT NULL, `updated_at` int NOT NULL,"
      "`revoked_at` int, PRIMARY KEY (`id`));"
      "INSERT INTO `user_auth_token` VALUES (1,2,'" +
      digest + "','" + kHexA +
      "','curl','::1',1,1893456000,1893456000,1893450000,1893450000,0),(2,2,'" + kHexB + "','" +
      kHexB + "','curl','::1',1,1893456000,1893456000,1893450000,1893450000,1893456001);";
  EXPECT_THAT(ImportText(sql, {}).status.message(), HasSubstr("say it as --lifetime"));
  ImportOptions options;
  options.lifetime_ms = 7 * 86'400'000;
  Outcome outcome = ImportText(sql, options);
  ASSERT_EQ(outcome.rows("user_auth_token").size(), 2u) << outcome.status.message();
  const GotRow& row = outcome.rows("user_auth_token")[0];
  EXPECT_EQ(outcome.table("user_auth_token").table.scheme, DigestScheme::kSha256WithSecret);
  EXPECT_EQ(row.key,
            KeyWithSecret(DigestScheme::kSha256WithSecret, "0123456789abcdef0123456789abcdef"));
  EXPECT_THAT(row.owner, Optional("2"s));
  EXPECT_EQ(row.expires_at_ms, k2030Ms + 7 * 86'400'000);
  EXPECT_THAT(row.created_at_ms, Optional(1893450000000u));
  EXPECT_FALSE(row.revoked);  // at 0
  EXPECT_TRUE(outcome.rows("user_auth_token")[1].revoked);
}

TEST(PresetTest, Matomo) {
  // hashlib.sha512(b"0123456789abcdef0123456789abcdef" + secret).hexdigest()
  const std::string digest =
      "8b3f0f8a0fdb56970a6475ca52fdf589cd6404909f8babacf6952a13340b4125"
      "813174cacb57df40b33c5bb9a4159534cd339a91fc0644163f90bbb0baef5a3b";
  Outcome outcome = ImportText(
      "CREATE TABLE `matomo_user_token_auth` (`idusertokenauth` bigint(20) unsigned NOT NULL "
      "AUTO_INCREMENT, `login` varchar(100) NOT NULL, `description` varchar(100) NOT NULL,"
      "`password` varchar(191) NOT NULL, `hash_algo` varchar(30) NOT NULL,"
      "`system_token` tinyint(1) NOT NULL DEFAULT 0, `last_used` datetime DEFAULT NULL,"
      "`date_created` datetime NOT NULL, `date_expired` datetime DEFAULT NULL,"
      "`secure_only` tinyint(2) unsigned NOT NULL DEFAULT 0, PRIMARY KEY (`idusertokenauth`),"
      "UNIQUE KEY `uniq_password` (`password`));"
      "INSERT INTO `matomo_user_token_auth` VALUES (3,'alice','reports','" +
          digest +
          "','sha512',0,'2029-06-01 00:00:00','2029-01-01 00:00:00','2030-01-01 00:00:00',1),"
          "(4,'bob','app','" +
          std::string(128, '1') +
          "','sha512',0,NULL,'2029-01-01 00:00:00',NULL,0),(5,'bob','app','" +
          std::string(128, '2') + "','sha3',0,NULL,'2029-01-01 00:00:00',NULL,0);",
      {});
  const std::string table = "matomo_user_token_auth";
  ASSERT_EQ(outcome.rows(table).size(), 2u) << outcome.status.message();
  EXPECT_EQ(outcome.table(table).rows_not_selected, 1u);
  EXPECT_EQ(outcome.table(table).table.scheme, DigestScheme::kSha512WithSecret);
  const GotRow& row = outcome.rows(table)[0];
  EXPECT_EQ(row.key,
            KeyWithSecret(DigestScheme::kSha512WithSecret, "0123456789abcdef0123456789abcdef"));
  EXPECT_THAT(row.owner, Optional("alice"s));
  EXPECT_THAT(row.name, Optional("reports"s));
  EXPECT_EQ(row.expires_at_ms, k2030Ms);
  EXPECT_EQ(row.source_id, "3");
  EXPECT_EQ(outcome.rows(table)[1].expires_at_ms, kNever);
}

TEST(PresetTest, Strapi) {
  // hmac.new(secret, b"0a1b2c3d", hashlib.sha512).hexdigest()
  const std::string digest =
      "bf15d3e8370ef92533ce4beb65997b3454a34f52007958946b5f16ba68866707"
      "cda8d56784863b1957b173e0a005e3052c6ade5e01ee0a11ff7e9f12c50fd1c5";
  Outcome outcome = ImportText(
      "CREATE TABLE `strapi_api_tokens` (`id` int unsigned NOT NULL AUTO_INCREMENT,"
      "`document_id` varchar(255), `name` varchar(255), `description` varchar(255),"
      "`type` varchar(255), `access_key` varchar(255), `encrypted_key` longtext,"
      "`last_used_at` datetime(6), `expires_at` datetime(6), `lifespan` bigint,"
      "`created_at` datetime(6), `updated_at` datetime(6), `published_at` datetime(6),"
      "`created_by_id` int unsigned, `updated_by_id` int unsigned, `locale` varchar(255),"
      "PRIMARY KEY (`id`));"
      "INSERT INTO `strapi_api_tokens` VALUES (5,'d','site','','read-only','" +
          digest +
          "',NULL,'2029-06-01 00:00:00.000000','2030-01-01 00:00:00.000000',2592000000,"
          "'2029-01-01 00:00:00.000000','2029-01-01 00:00:00.000000',NULL,1,1,NULL);",
      {});
  ASSERT_EQ(outcome.rows("strapi_api_tokens").size(), 1u) << outcome.status.message();
  EXPECT_EQ(outcome.table("strapi_api_tokens").table.scheme, DigestScheme::kHmacSha512WithSecret);
  const GotRow& row = outcome.rows("strapi_api_tokens")[0];
  EXPECT_EQ(row.key, KeyWithSecret(DigestScheme::kHmacSha512WithSecret, "0a1b2c3d"));
  EXPECT_THAT(row.scopes, ElementsAre("read-only"));
  EXPECT_THAT(row.name, Optional("site"s));
  EXPECT_EQ(row.expires_at_ms, k2030Ms);
  EXPECT_EQ(row.source_id, "5");

  // Of release 4.0.
  EXPECT_EQ(ImportText("CREATE TABLE strapi_api_tokens (id int, name text, type text, access_key "
                       "text);INSERT INTO strapi_api_tokens VALUES (1,'a','custom','" +
                           digest + "');",
                       {})
                .keys("strapi_api_tokens"),
            std::vector<std::string>{row.key});
}

// What the report tells to configure must be there to be told, and no preset may need the secret.
TEST(PresetTest, ThoseWithASecretSayWhereItIs) {
  for (const Preset& preset : Presets()) {
    SCOPED_TRACE(preset.name);
    EXPECT_EQ(TakesSecret(preset.scheme), !preset.secret.empty());
    if (TakesSecret(preset.scheme)) {
      EXPECT_EQ(MappingOf(preset).Find(Field::kToken), nullptr);
    }
  }
}

TEST(PresetTest, SaltedHashesAreRefused) {
  EXPECT_THAT(ImportText("CREATE TABLE `access_token` (`id` bigint, `uid` bigint, `name` text,"
                         "`token_hash` varchar(255), `token_salt` varchar(255));"
                         "INSERT INTO `access_token` VALUES (1,1,'n','h','s');",
                         {})
                  .status.message(),
              HasSubstr("PBKDF2"));
  Outcome outcome = ImportText(
      "CREATE TABLE `api_tokens` (`id` int, `name` text, `token_id` varchar(255),"
      "`secret` varchar(255), `user_id` int, `expires_at` date);"
      "INSERT INTO `api_tokens` VALUES (1,'n','t','$2y$','1','2030-01-01');"
      "INSERT INTO pm_api_token (token,expires) VALUES ('a','2031-01-01');",
      {});
  // Beside another table it is no error.
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.message();
  ASSERT_EQ(outcome.report.skipped_tables.size(), 1u);
  EXPECT_THAT(outcome.report.skipped_tables[0].reason, HasSubstr("bcrypt"));
  EXPECT_EQ(outcome.report.skipped_tables[0].rows, 1u);
}

TEST(PresetTest, IsNamedForAnyTable) {
  ImportOptions options;
  options.tables = {"t"};
  options.preset = "mattermost";
  Outcome outcome = ImportText(
      "INSERT INTO t (Token,UserId,Description,IsActive) VALUES ('a','u','',1);", options);
  EXPECT_THAT(outcome.keys(), ElementsAre(KeyOf("a")));
  options.preset = "nothing";
  EXPECT_THAT(ImportText("", options).status.message(),
              HasSubstr("there is no nothing; --presets"));
  options.tables.clear();
  EXPECT_THAT(ImportText("", options).status.message(), HasSubstr("exactly one --table"));
  options.preset = "mattermost";
  options.tables = {"t"};
  options.columns = "token=a";
  EXPECT_THAT(ImportText("", options).status.message(), HasSubstr("cannot come with --preset"));
}

}  // namespace
}  // namespace tokend
