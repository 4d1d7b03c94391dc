#include "server/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "tests/support/temp_dir.h"

namespace tokend {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class ConfigTest : public ::testing::Test {
 protected:
  std::string File(const std::string& text) {
    const std::string path = dir_.path() + "/tokend.toml";
    std::ofstream(path) << text;
    return path;
  }
  ConfigResult Read(const std::vector<std::string>& args,
                    const std::map<std::string, std::string>& environment = {}) {
    return ReadConfig(args, environment);
  }
  // The settings, which must be right.
  Config Right(const std::vector<std::string>& args,
               const std::map<std::string, std::string>& environment = {}) {
    const ConfigResult result = Read(args, environment);
    EXPECT_EQ(result.next, ConfigResult::Next::kServe) << result.out << result.err;
    return result.config;
  }
  // What is said of wrong ones.
  std::string Wrong(const std::vector<std::string>& args,
                    const std::map<std::string, std::string>& environment = {}) {
    const ConfigResult result = Read(args, environment);
    EXPECT_EQ(result.next, ConfigResult::Next::kExit);
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_THAT(result.out, IsEmpty());
    return result.err;
  }
  // A file that its owner alone may read.
  std::string Secret(const std::string& bytes) {
    const std::string path = dir_.path() + "/secret";
    std::ofstream(path, std::ios::binary) << bytes;
    std::filesystem::permissions(
        path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    return path;
  }
  static std::string NamespaceWithSecret(const std::string& scheme, const std::string& path) {
    return "[[namespace]]\nname = 'a'\nscheme = '" + scheme + "'\nsecret_file = \"" + path + "\"";
  }
  std::string WrongFile(const std::string& text) { return Wrong({"--config", File(text)}); }

  TempDir dir_;
};

TEST_F(ConfigTest, ServesTheEmbeddedDefaultWithoutAnyConfiguration) {
  const Config config = Right({});
  EXPECT_EQ(config.data_dir, "./data");
  EXPECT_EQ(config.listen, "127.0.0.1:7717");
  EXPECT_EQ(config.http, "127.0.0.1:7718");
  EXPECT_EQ(config.UnixSocketPath(), "./data/tokend.sock");
  EXPECT_EQ(config.durability, "sync");
  EXPECT_THAT(config.namespaces, IsEmpty());
}

TEST_F(ConfigTest, FlagsWinOverTheEnvironmentAndThatOverTheFile) {
  const std::string file = File("threads = 1\nmany_max = 1\nlog_level = 'error'\n");
  const std::map<std::string, std::string> environment = {{"TOKEND_THREADS", "2"},
                                                          {"TOKEND_MANY_MAX", "2"}};
  const Config config = Right({"--config", file, "--threads", "3"}, environment);
  EXPECT_EQ(config.threads, 3u);
  EXPECT_EQ(config.many_max, 2u);
  EXPECT_EQ(config.log_level, "error");
}

TEST_F(ConfigTest, TheFileMayBeNamedInTheEnvironmentAndTheFlagWins) {
  const std::string file = File("threads = 5\n");
  EXPECT_EQ(Right({}, {{"TOKEND_CONFIG", file}}).threads, 5u);
  EXPECT_EQ(Right({"--config", file}, {{"TOKEND_CONFIG", "/nowhere.toml"}}).threads, 5u);
  EXPECT_THAT(Wrong({}, {{"TOKEND_CONFIG", "/nowhere.toml"}}), HasSubstr("/nowhere.toml"));
}

TEST_F(ConfigTest, EverySettingHasThreeSpellings) {
  for (const Setting& setting : Settings()) {
    SCOPED_TRACE(setting.name);
    // Another right value than the default.
    const Config defaults;
    std::string value;
    if (std::holds_alternative<uint64_t Config::*>(setting.member)) {
      value = setting.Text(defaults) == std::to_string(setting.max) ? std::to_string(setting.min)
                                                                    : std::to_string(setting.max);
    } else if (!setting.choices.empty()) {
      value = std::string(setting.choices.substr(setting.choices.rfind('|') + 1));
      if (value == setting.Text(defaults)) {
        value = std::string(setting.choices.substr(0, setting.choices.find('|')));
      }
    } else {
      value = "127.0.0.1:1";
    }
    ASSERT_NE(setting.Text(defaults), value);
    std::vector<std::string> more;
    // So that it fits together with the longest message.
    if (setting.name == "message_bytes_max") more = {"--buffer-bytes-max", "1099511627776"};
    if (setting.name == "buffer_bytes_max") value = "8388608";
    if (setting.name == "tls_client_certificates") more = {"--tls-client-ca-file", "a"};
    // So that there is a certificate to be shown there.
    if (setting.name == "listen_tls" || setting.name == "http_tls") {
      more = {"--tls-certificate-file", "a", "--tls-key-file", "b"};
    }

    std::vector<std::string> args = more;
    args.insert(args.end(), {setting.Flag(), value});
    EXPECT_EQ(setting.Text(Right(args)), value);
    EXPECT_EQ(setting.Text(Right(more, {{setting.Environment(), value}})), value);
    const bool quoted = std::holds_alternative<std::string Config::*>(setting.member);
    const std::string quote = quoted ? "\"" : "";
    args = more;
    args.insert(args.end(),
                {"--config", File(std::string(setting.name) + " = " + quote + value + quote)});
    EXPECT_EQ(setting.Text(Right(args)), value);
  }
}

TEST_F(ConfigTest, RowsAreWhole) {
  std::set<std::string_view> names;
  const Config defaults;
  for (const Setting& setting : Settings()) {
    SCOPED_TRACE(setting.name);
    EXPECT_TRUE(names.insert(setting.name).second);
    EXPECT_FALSE(setting.meaning.empty());
    Config same;
    EXPECT_TRUE(setting.Set(setting.Text(defaults), &same).ok()) << "the default is out of range";
  }
  EXPECT_TRUE(CheckConfig(defaults).ok());
}

TEST_F(ConfigTest, NumbersAreHeldToTheirRange) {
  for (const Setting& setting : Settings()) {
    if (!std::holds_alternative<uint64_t Config::*>(setting.member)) continue;
    SCOPED_TRACE(setting.name);
    Config config;
    EXPECT_TRUE(setting.Set(std::to_string(setting.min), &config).ok());
    EXPECT_TRUE(setting.Set(std::to_string(setting.max), &config).ok());
    EXPECT_FALSE(setting.Set(std::to_string(setting.max + 1), &config).ok());
    if (setting.min > 0) {
      EXPECT_FALSE(setting.Set(std::to_string(setting.min - 1), &config).ok());
    }
    for (const char* text :
         {"", "-1", "1.5", "1e3", " 7", "7 ", "0x10", "many", "99999999999999999999"}) {
      EXPECT_FALSE(setting.Set(text, &config).ok()) << text;
    }
  }
}

TEST_F(ConfigTest, EveryWrongValueNamesItsSourceAndTheRule) {
  EXPECT_EQ(Wrong({"--threads", "many"}),
            "tokend: --threads: must be a whole number from 0 to 256\n");
  EXPECT_EQ(Wrong({}, {{"TOKEND_THREADS", "257"}}),
            "tokend: TOKEND_THREADS: must be a whole number from 0 to 256\n");
  EXPECT_EQ(WrongFile("\nthreads = 257\n"),
            "tokend: " + dir_.path() +
                "/tokend.toml:2: threads: must be a whole number from 0 to "
                "256\n");
  EXPECT_THAT(WrongFile("threads = 'four'"), HasSubstr(":1: threads: must be a whole number"));
  EXPECT_THAT(WrongFile("threads = 1.0"), HasSubstr(":1: threads: must be a whole number"));
  EXPECT_THAT(WrongFile("threads = -1"), HasSubstr(":1: threads: must be a whole number from 0"));
  EXPECT_THAT(WrongFile("durability = 1"), HasSubstr(":1: durability: must be a string"));
  EXPECT_THAT(WrongFile("threads = 1\n[? 1\n"), HasSubstr(":2: Error while parsing key"));
  EXPECT_THAT(WrongFile("threads = 1 \u00e9\n"), HasSubstr(":1: Error while parsing"));
  EXPECT_THAT(WrongFile("threads = 1\n[\rver]\nx = 1\n"), HasSubstr(":2: "));
  EXPECT_THAT(WrongFile("listen = 7717"), HasSubstr(":1: listen: must be a string"));
  EXPECT_THAT(Wrong({"--durability", "yes"}),
              HasSubstr("--durability: must be one of sync|interval|none"));
  EXPECT_THAT(Wrong({"--log-level", "loud"}),
              HasSubstr("--log-level: must be one of debug|info|warning|error|off"));
  EXPECT_THAT(Wrong({"--data-dir", ""}), HasSubstr("--data-dir"));
}

TEST_F(ConfigTest, UnknownNamesAreErrorsInFilesAndFlagsAndRemarksInTheEnvironment) {
  EXPECT_THAT(WrongFile("# first\n\nthread = 4\n"), HasSubstr(":3: thread: no such setting"));
  EXPECT_THAT(WrongFile("[server]\nthreads = 4\n"), HasSubstr(":1: server: no such setting"));
  EXPECT_THAT(Wrong({"--thread-count", "4"}), HasSubstr("--thread-count"));
  EXPECT_THAT(Wrong({"serve"}), HasSubstr("serve"));
  const ConfigResult result = Read({}, {{"TOKEND_THREAD", "4"}, {"PATH", "/bin"}});
  EXPECT_EQ(result.next, ConfigResult::Next::kServe);
  EXPECT_THAT(result.warnings, ::testing::ElementsAre(HasSubstr("TOKEND_THREAD ")));
}

TEST_F(ConfigTest, AFileThatIsNotTomlIsNamedWithItsLine) {
  EXPECT_THAT(WrongFile("threads = 4\nthreads = 5\n"), HasSubstr("tokend.toml:2: "));
  EXPECT_THAT(WrongFile("threads = \n"), HasSubstr("tokend.toml:1: "));
  EXPECT_THAT(Wrong({"--config", "/nowhere.toml"}), HasSubstr("/nowhere.toml: "));
  EXPECT_THAT(Wrong({"--config", ""}), HasSubstr("--config: must name a file"));
}

TEST_F(ConfigTest, NamespacesComeFromTheFile) {
  const Config config = Right({"--config", File(R"(
    [[namespace]]
    name = "sessions"
    [[namespace]]
    name = "personal access tokens"
    scheme = "sha256-after-bar"
  )")});
  ASSERT_EQ(config.namespaces.size(), 2u);
  EXPECT_EQ(config.namespaces[0].name, "sessions");
  EXPECT_EQ(config.namespaces[0].scheme, DigestScheme::kSha256);
  EXPECT_EQ(config.namespaces[1].name, "personal access tokens");
  EXPECT_EQ(config.namespaces[1].scheme, DigestScheme::kSha256AfterBar);
}

TEST_F(ConfigTest, WrongNamespacesAreNamed) {
  EXPECT_THAT(WrongFile("[namespace]\nname = 'a'"), HasSubstr("must be written as [[namespace]]"));
  EXPECT_THAT(WrongFile("namespace = ['a']"), HasSubstr("must be written as [[namespace]]"));
  EXPECT_THAT(WrongFile("[[namespace]]\nscheme = 'sha256'"), HasSubstr("name: missing"));
  EXPECT_THAT(WrongFile("[[namespace]]\nname = 5"), HasSubstr(":2: name: must be a string"));
  EXPECT_THAT(WrongFile("[[namespace]]\nname = 'a'\nscheme = 'md5'"),
              HasSubstr(":3: scheme: must be " + DigestSchemeNames()));
  EXPECT_THAT(WrongFile("[[namespace]]\nname = 'a'\ndigest = 'sha256'"),
              HasSubstr(":3: digest: no such key"));
  EXPECT_THAT(WrongFile("[[namespace]]\nname = \"a\\tb\""), HasSubstr("namespace"));
  EXPECT_THAT(WrongFile("[[namespace]]\nname = '" + std::string(256, 'n') + "'"),
              HasSubstr("namespace"));
  EXPECT_THAT(WrongFile("[[namespace]]\nname = 'a'\n[[namespace]]\nname = 'a'"),
              HasSubstr("\"a\" is there twice"));
}

TEST_F(ConfigTest, ANamespacesSecretIsInAFileOfItsOwn) {
  const std::string path = Secret("s3cr3t\n");
  const std::string file = NamespaceWithSecret("sha512-with-secret", path);
  const ConfigResult result = Read({"--config", File(file)});
  ASSERT_EQ(result.next, ConfigResult::Next::kServe) << result.err;
  EXPECT_EQ(result.config.namespaces[0].secret.bytes(), "s3cr3t");
  EXPECT_THAT(result.warnings, IsEmpty());
  // What is shown has its path, and not the secret.
  const ConfigResult shown = Read({"--config", File(file), "--check-config"});
  EXPECT_THAT(shown.out,
              AllOf(HasSubstr("secret_file = \"" + path + "\"\n"), Not(HasSubstr("s3cr3t"))));
  EXPECT_EQ(Read({"--config", File(shown.out), "--check-config"}).out, shown.out);

  // One newline at its end is not part of it; all else is.
  for (const auto& [bytes, secret] :
       std::map<std::string, std::string>{{"s", "s"},
                                          {"s\n\n", "s\n"},
                                          {" s\r\n", " s\r"},
                                          {std::string("\0\n", 2), std::string("\0", 1)}}) {
    Secret(bytes);
    EXPECT_EQ(Right({"--config", File(file)}).namespaces[0].secret.bytes(), secret);
  }
  Secret(std::string(kSecretBytesMax, 's') + "\n");
  EXPECT_EQ(Right({"--config", File(file)}).namespaces[0].secret.size(), kSecretBytesMax);
}

TEST_F(ConfigTest, WrongSecretsAreNamedAndNeverShown) {
  const auto wrong = [&](const std::string& bytes) {
    return WrongFile(NamespaceWithSecret("sha512-with-secret", Secret(bytes)));
  };
  EXPECT_EQ(wrong(""),
            "tokend: secret_file of namespace \"a\": " + dir_.path() + "/secret: is empty\n");
  EXPECT_THAT(wrong("\n"), HasSubstr("is empty"));
  const std::string too_long = wrong(std::string(kSecretBytesMax + 1, 's'));
  EXPECT_THAT(too_long, AllOf(HasSubstr("has more than 4096 bytes"), Not(HasSubstr("ssss"))));
  EXPECT_THAT(wrong(std::string(kSecretBytesMax, 's') + "\n\n"), HasSubstr("has more than"));
  const auto wrong_path = [&](const std::string& path) {
    return WrongFile(NamespaceWithSecret("sha512-with-secret", path));
  };
  EXPECT_THAT(wrong_path("/nowhere"),
              HasSubstr("/nowhere: cannot be read: No such file or directory"));
  EXPECT_THAT(wrong_path(dir_.path()), HasSubstr("must be a regular file"));
  EXPECT_THAT(Wrong({"--check-config", "--config",
                     File(NamespaceWithSecret("sha512-with-secret", "/nowhere"))}),
              HasSubstr("/nowhere"));
  EXPECT_THAT(wrong_path(""), HasSubstr(":4: secret_file: must not be empty"));
  EXPECT_THAT(wrong_path("a\\u0000"), HasSubstr(":4: secret_file: must not hold a zero byte"));
  EXPECT_THAT(WrongFile("[[namespace]]\nname = 'a'\nsecret_file = 5"),
              HasSubstr(":3: secret_file: must be a string"));
  for (const char* scheme : {"sha256", "sha256-after-bar", "sha512", "hmac-sha256-wc-api"}) {
    EXPECT_THAT(WrongFile(NamespaceWithSecret(scheme, Secret("s3cr3t"))),
                HasSubstr(std::string("secret_file: the scheme ") + scheme + " takes no secret"));
  }
}

TEST_F(ConfigTest, ASecretThatOthersMayReadIsToldOf) {
  const std::string file = File(NamespaceWithSecret("sha256-with-secret", Secret("s3cr3t")));
  for (const auto others :
       {std::filesystem::perms::group_read, std::filesystem::perms::others_read}) {
    std::filesystem::permissions(dir_.path() + "/secret",
                                 std::filesystem::perms::owner_read | others);
    EXPECT_THAT(Read({"--config", file}).warnings,
                ::testing::ElementsAre(AllOf(HasSubstr("may be read by others than its owner"),
                                             HasSubstr("/secret"), Not(HasSubstr("s3cr3t")))));
  }
}

TEST_F(ConfigTest, TheKeysOfSealedTokensAreInAFileOfTheirOwn) {
  const std::string key(64, 'a');
  const std::string path = Secret(key + "\n" + std::string(64, 'b') + "\n");
  const std::string file = "seal_key_file = '" + path + "'\n[[namespace]]\nname = 'a'\nseal = true";
  const ConfigResult result = Read({"--config", File(file)});
  ASSERT_EQ(result.next, ConfigResult::Next::kServe) << result.err;
  EXPECT_TRUE(result.config.namespaces[0].seal);
  ASSERT_NE(result.config.sealer, nullptr);
  EXPECT_THAT(result.warnings, IsEmpty());
  const ConfigResult shown = Read({"--config", File(file), "--check-config"});
  EXPECT_THAT(shown.out, AllOf(HasSubstr("seal_key_file = \"" + path + "\"\n"),
                               HasSubstr("seal = true\n"), Not(HasSubstr("aaaa"))));
  EXPECT_EQ(Read({"--config", File(shown.out), "--check-config"}).out, shown.out);

  // Wrong ones are refused and not shown.
  Secret(key + "\n" + key + "0\n");
  EXPECT_THAT(WrongFile(file), AllOf(HasSubstr("seal_key_file: " + path + ": line 2: must be"),
                                     Not(HasSubstr("aaaa"))));
  EXPECT_THAT(WrongFile("seal_key_file = '" + dir_.path() + "'"),
              HasSubstr("must be a regular file"));
  EXPECT_THAT(WrongFile("[[namespace]]\nname = 'a'\nseal = 'yes'"),
              HasSubstr(":3: seal: must be true or false"));

  Secret(key);
  std::filesystem::permissions(path, std::filesystem::perms::group_read,
                               std::filesystem::perm_options::add);
  EXPECT_THAT(Read({"--config", File(file)}).warnings,
              ::testing::ElementsAre(AllOf(HasSubstr("seal_key_file"), HasSubstr("chmod 600"))));
}

// All but sealed tokens works without it.
TEST_F(ConfigTest, WithoutTheKeysOfSealedTokensItStarts) {
  const std::string space = "[[namespace]]\nname = 'a'\nseal = true";
  for (const std::string& file : {"seal_key_file = '/nowhere/key'\n" + space, space}) {
    const ConfigResult result = Read({"--config", File(file)});
    ASSERT_EQ(result.next, ConfigResult::Next::kServe) << result.err;
    EXPECT_EQ(result.config.sealer, nullptr);
    EXPECT_THAT(result.warnings, ::testing::ElementsAre(AllOf(HasSubstr("seal_key_file: "),
                                                              HasSubstr("nothing is revealed"))));
  }
  EXPECT_THAT(Read({"--config", File("[[namespace]]\nname = 'a'")}).warnings, IsEmpty());
}

// A server that cannot be started for the want of it can still be repaired.
TEST_F(ConfigTest, SecretsAreReadToServe) {
  const std::string file = File(NamespaceWithSecret("sha256-with-secret", "/nowhere"));
  EXPECT_EQ(Read({"--config", file, "--repair"}).next, ConfigResult::Next::kRepair);
  EXPECT_EQ(Read({"--config", file, "--verify-backup", "b"}).next,
            ConfigResult::Next::kVerifyBackup);
}

TEST_F(ConfigTest, AddressesOffLoopbackAreRefused) {
  for (const char* address : {"0.0.0.0:7717", "[::]:7717", "192.0.2.1:7717", "[fd00::1]:7717",
                              "127.0.0.1:7717,192.0.2.1:7717"}) {
    EXPECT_THAT(Wrong({"--listen", address}),
                AllOf(StartsWith("tokend: listen: "), HasSubstr("is not a loopback address")));
    EXPECT_THAT(Wrong({"--http", address}),
                AllOf(StartsWith("tokend: http: "), HasSubstr("is not a loopback address")));
  }
  for (const char* address : {"127.0.0.1:7717", "127.1.2.3:0", "[::1]:7717", "localhost:7717",
                              "[::ffff:127.0.0.1]:1", "127.0.0.1:1,[::1]:2", "off"}) {
    EXPECT_EQ(Right({"--listen", address, "--http", address}).listen, address);
  }
}

TEST_F(ConfigTest, AddressesThatAreNoneAreRefused) {
  for (const char* address :
       {"7717", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", ":7717", "::1:7717", "[::1]",
        "127.0.0.1:port", "127.0.0.1:1,", "127.0.0.1:-1"}) {
    EXPECT_THAT(Wrong({"--listen", address}),
                AllOf(StartsWith("tokend: listen: must be HOST:PORT")))
        << address;
  }
  EXPECT_THAT(Wrong({"--listen", "no such host:1"}), HasSubstr("cannot resolve"));
}

TEST_F(ConfigTest, AUnixSocketPathMustFit) {
  EXPECT_THAT(Wrong({"--unix", "/" + std::string(200, 'p')}),
              AllOf(StartsWith("tokend: unix: "), HasSubstr("201 bytes long")));
  EXPECT_THAT(Wrong({"--data-dir", "/" + std::string(200, 'd')}), HasSubstr("unix: "));
  EXPECT_EQ(Right({"--data-dir", "/" + std::string(200, 'd'), "--unix", "off"}).UnixSocketPath(),
            "");
  EXPECT_EQ(Right({"--unix", "/run/t.sock"}).UnixSocketPath(), "/run/t.sock");
}

TEST_F(ConfigTest, LimitsMustFitTogether) {
  EXPECT_THAT(Wrong({"--message-bytes-max", "1073741824"}),
              HasSubstr("buffer_bytes_max: must be at least twice message_bytes_max"));
}

TEST_F(ConfigTest, TheRealmFitsIntoAQuotedString) {
  EXPECT_EQ(Right({"--auth-realm", "my api, v2"}).auth_realm, "my api, v2");
  for (const char* realm : {"a\"b", "a\\b", "a\r\nX: y", "a\x7f", "\xc3\xa4"}) {
    EXPECT_THAT(Wrong({"--auth-realm", realm}), HasSubstr("auth_realm: must be printable ASCII"));
  }
}

TEST_F(ConfigTest, HelpAndVersionAreNotErrors) {
  const ConfigResult help = Read({"--help"});
  EXPECT_EQ(help.next, ConfigResult::Next::kExit);
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(help.err, IsEmpty());
  for (const Setting& setting : Settings()) {
    EXPECT_THAT(help.out, HasSubstr(setting.Flag() + " "));
    EXPECT_THAT(help.out, HasSubstr("[" + setting.Text(Config()) + "]"));
  }
  const ConfigResult version = Read({"--version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_THAT(version.out, ::testing::MatchesRegex("tokend [0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

TEST_F(ConfigTest, CheckConfigPrintsWhatItWouldServeWith) {
  const std::string file = File("threads = 3\n[[namespace]]\nname = \"a\\\"b\"\n");
  const ConfigResult checked = Read({"--config", file, "--check-config"});
  EXPECT_EQ(checked.next, ConfigResult::Next::kExit);
  EXPECT_EQ(checked.exit_code, 0);
  EXPECT_THAT(checked.out,
              AllOf(HasSubstr("threads = 3\n"), HasSubstr("listen = \"127.0.0.1:7717\"\n"),
                    HasSubstr("name = \"a\\\"b\"")));
  // And that is a file which says the same.
  const ConfigResult again = Read({"--config", File(checked.out), "--check-config"});
  EXPECT_EQ(again.out, checked.out);
  EXPECT_THAT(Wrong({"--check-config", "--threads", "x"}), Not(IsEmpty()));
}

}  // namespace
}  // namespace tokend
