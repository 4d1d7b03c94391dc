#include "server/callers.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <set>

#include "protocol/digest.h"

namespace tokend {
namespace {

using SecretDigest = std::array<uint8_t, 32>;

struct Role {
  std::string_view name;
  Right right;
};

constexpr Role kRoles[] = {{"validate", Right::kValidate}, {"introspect", Right::kIntrospect},
                           {"issue", Right::kIssue},       {"revoke", Right::kRevoke},
                           {"read", Right::kRead},         {"reveal", Right::kReveal},
                           {"admin", Right::kAdmin}};

Status Wrong(const CallerConfig& config, std::string_view key, std::string_view rule) {
  return Status(ErrorCode::kBadParams,
                fmt::format("caller {}: {}: {}", QuoteName(config.name), key, rule));
}

std::optional<SecretDigest> ParseDigest(std::string_view hex) {
  SecretDigest digest{};
  if (hex.size() != 2 * digest.size()) return std::nullopt;
  for (size_t i = 0; i < digest.size(); ++i) {
    const char* const begin = hex.data() + 2 * i;
    const auto [end, error] = std::from_chars(begin, begin + 2, digest[i], 16);
    if (error != std::errc() || end != begin + 2) return std::nullopt;
  }
  return digest;
}

std::optional<uid_t> ParseUser(const std::string& user) {
  uid_t uid = 0;
  const auto [end, error] = std::from_chars(user.data(), user.data() + user.size(), uid);
  if (error == std::errc() && end == user.data() + user.size()) return uid;
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> buffer(16 << 10);
  if (getpwnam_r(user.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 ||
      found == nullptr) {
    return std::nullopt;
  }
  return found->pw_uid;
}

}  // namespace

std::optional<Right> ParseRole(std::string_view role) {
  const auto found =
      std::ranges::find_if(kRoles, [&](const Role& one) { return one.name == role; });
  return found == std::end(kRoles) ? std::nullopt : std::optional(found->right);
}

std::string RoleNames() {
  std::string names;
  for (const Role& role : kRoles) {
    if (!names.empty()) names += &role == std::end(kRoles) - 1 ? " or " : ", ";
    names += role.name;
  }
  return names;
}

Identity Identity::OfSecret(std::string_view name, SecretView secret) {
  Identity identity;
  identity.kind = Kind::kSecret;
  identity.name = std::string(name);
  Digester digester;
  identity.secret_sha256 = digester.Sha256(secret.bytes()).bytes;
  return identity;
}

Caller::Caller(const CallerConfig& config)
    : name_(config.name), namespaces_(config.namespaces), owners_(config.owners) {
  for (const std::string& role : config.roles) {
    rights_ |= uint32_t{1} << static_cast<unsigned>(*ParseRole(role));
  }
}

Caller Caller::All(std::string name) {
  Caller caller;
  caller.name_ = std::move(name);
  caller.rights_ = UINT32_MAX;
  return caller;
}

Caller Caller::None() {
  Caller caller;
  caller.is_known_ = false;
  return caller;
}

bool Caller::MayUse(std::string_view namespace_name) const {
  return namespaces_.empty() || std::ranges::find(namespaces_, namespace_name) != namespaces_.end();
}

bool Caller::MayManage(const std::optional<std::string_view>& owner) const {
  return owners_.empty() || (owner && std::ranges::find(owners_, *owner) != owners_.end());
}

Caller Caller::Within(std::string_view owner) const {
  Caller within = *this;
  if (!MayManage(owner)) within.rights_ = None().rights_;
  within.owners_ = {std::string(owner)};
  return within;
}

Callers::Callers(const std::vector<CallerConfig>& configs) {
  entries_.reserve(configs.size());
  for (const CallerConfig& config : configs) {
    Entry& entry =
        entries_.emplace_back(Entry{Caller(config), {}, {}, config.certificates, config.anonymous});
    for (const std::string& hex : config.secrets_sha256) {
      entry.secrets.push_back(*ParseDigest(hex));
    }
    for (const std::string& user : config.unix_users) entry.uids.push_back(*ParseUser(user));
    if (config.anonymous) anonymous_ = &entry.caller;
  }
}

const Caller& Callers::Find(const Identity& identity) const {
  if (!enabled()) return all_;
  if (const Caller* caller = Lookup(identity)) return *caller;
  return anonymous_ != nullptr ? *anonymous_ : none_;
}

const Caller* Callers::Lookup(const Identity& identity) const {
  switch (identity.kind) {
    case Identity::Kind::kNone:
      return anonymous_;
    case Identity::Kind::kSecret: {
      const Caller* found = nullptr;
      for (const Entry& entry : entries_) {
        for (const SecretDigest& secret : entry.secrets) {
          const bool is_same =
              CRYPTO_memcmp(secret.data(), identity.secret_sha256.data(), secret.size()) == 0;
          if (is_same && (identity.name.empty() || identity.name == entry.caller.name())) {
            found = &entry.caller;
          }
        }
      }
      return found;
    }
    case Identity::Kind::kUnixUser:
      for (const Entry& entry : entries_) {
        if (std::ranges::find(entry.uids, identity.uid) != entry.uids.end()) return &entry.caller;
      }
      return identity.uid == 0 || identity.uid == geteuid() ? &operator_ : nullptr;
    case Identity::Kind::kCertificate:
      for (const Entry& entry : entries_) {
        if (std::ranges::find_first_of(entry.certificates, identity.certificate_names) !=
            entry.certificates.end()) {
          return &entry.caller;
        }
      }
      return nullptr;
  }
  return nullptr;
}

Status CheckCallers(const std::vector<CallerConfig>& configs) {
  std::set<std::string_view> names;
  std::set<std::string> proofs;
  bool have_anonymous = false;
  // Two callers that show the same would be one, and nobody could tell which.
  const auto is_new = [&](std::string_view kind, const std::string& proof) {
    return proofs.insert(fmt::format("{} {}", kind, proof)).second;
  };
  for (const CallerConfig& config : configs) {
    if (!names.insert(config.name).second) return Wrong(config, "name", "is there twice");
    for (const std::string& role : config.roles) {
      if (!ParseRole(role)) return Wrong(config, "roles", "must be " + RoleNames());
    }
    if (config.roles.empty()) return Wrong(config, "roles", "missing; without it may do nothing");
    for (const std::string& hex : config.secrets_sha256) {
      const auto digest = ParseDigest(hex);
      if (!digest) {
        return Wrong(config, "secrets_sha256",
                     "must be 64 hexadecimal digits each: printf %s SECRET | sha256sum");
      }
      if (!is_new("secret", std::string(digest->begin(), digest->end()))) {
        return Wrong(config, "secrets_sha256", "a secret is there twice");
      }
    }
    for (const std::string& user : config.unix_users) {
      const auto uid = ParseUser(user);
      if (!uid) return Wrong(config, "unix_users", "there is no user " + QuoteName(user));
      if (!is_new("user", std::to_string(*uid))) {
        return Wrong(config, "unix_users", QuoteName(user) + " is there twice");
      }
    }
    for (const std::string& name : config.certificates) {
      if (!is_new("certificate", name)) {
        return Wrong(config, "certificates", QuoteName(name) + " is there twice");
      }
    }
    if (config.anonymous && have_anonymous) return Wrong(config, "anonymous", "only one can be");
    have_anonymous = have_anonymous || config.anonymous;
    if (!config.anonymous && config.secrets_sha256.empty() && config.unix_users.empty() &&
        config.certificates.empty()) {
      return Wrong(config, "secrets_sha256",
                   "missing; or have unix_users, certificates, or anonymous = true: nobody could "
                   "show to be this caller");
    }
  }
  return Status::Ok();
}

}  // namespace tokend
