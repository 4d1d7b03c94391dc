// Who may ask for what: the callers of the configuration ([[caller]]), how they show who they are,
// and what each may do. What nobody has granted is refused.
//
// Immutable once built; any thread.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/error.h"
#include "protocol/secret.h"
#include "server/replaceable.h"

namespace tokend {

// What a caller must be allowed to do. kNone: anybody who may connect.
enum class Right : uint8_t {
  kNone,
  kValidate,
  kIntrospect,
  kIssue,
  kRevoke,
  kRead,
  kReveal,
  kAdmin
};

// "validate", ... "admin"; a role is the name of one right.
std::optional<Right> ParseRole(std::string_view role);
std::string RoleNames();  // "validate, introspect, ... or admin"

struct CallerConfig {
  std::string name;
  std::vector<std::string> secrets_sha256 = {};  // 64 hexadecimal digits; any of them is good
  std::vector<std::string> unix_users = {};      // names or numbers, of peers on unix sockets
  std::vector<std::string> certificates = {};    // names in them, of peers on TLS
  bool anonymous = false;                        // who shows nothing at all
  std::vector<std::string> roles = {};
  std::vector<std::string> namespaces = {};  // empty = all
  std::vector<std::string> owners = {};      // whose tokens it manages; empty = all
};

// What a peer has shown of itself.
struct Identity {
  enum class Kind : uint8_t { kNone, kSecret, kUnixUser, kCertificate };
  Kind kind = Kind::kNone;
  // Of kSecret: the caller's; empty = whose secret it is.
  std::string name = {};
  std::array<uint8_t, 32> secret_sha256{};
  uid_t uid = 0;
  std::vector<std::string> certificate_names = {};

  static Identity OfSecret(std::string_view name, SecretView secret);
};

class Caller {
 public:
  explicit Caller(const CallerConfig& config);
  // Everything, everywhere: `name` is for the log.
  static Caller All(std::string name);
  // Nothing at all.
  static Caller None();

  const std::string& name() const { return name_; }
  // Of a peer that has shown nothing that is known.
  bool is_known() const { return is_known_; }
  bool Has(Right right) const { return (rights_ >> static_cast<unsigned>(right) & 1) != 0; }
  bool has_all_namespaces() const { return namespaces_.empty(); }
  bool MayUse(std::string_view namespace_name) const;
  // The namespace of a caller that has just one.
  std::optional<std::string> only_namespace() const {
    return namespaces_.size() == 1 ? std::optional(namespaces_.front()) : std::nullopt;
  }
  // Empty = all.
  const std::vector<std::string>& owners() const { return owners_; }
  bool MayManage(const std::optional<std::string_view>& owner) const;
  // The same for this owner's tokens alone; of an owner that it does not manage, for none.
  Caller Within(std::string_view owner) const;

 private:
  Caller() = default;

  std::string name_;
  bool is_known_ = true;
  uint32_t rights_ = 1;  // bit i is Right i
  std::vector<std::string> namespaces_, owners_;
};

class Callers {
 public:
  // Requires CheckCallers(configs).ok().
  explicit Callers(const std::vector<CallerConfig>& configs);

  // Whether there are any: without, everybody may do everything.
  bool enabled() const { return !entries_.empty(); }
  // Never fails: who is not known may do what is granted to the anonymous, or nothing. On a unix
  // socket root and the server's own user may do everything, since theirs are the files.
  const Caller& Find(const Identity& identity) const;
  // Whether the identity is one that was configured. In a time that does not depend on how much of
  // a secret is right.
  bool Knows(const Identity& identity) const { return Lookup(identity) != nullptr; }

 private:
  struct Entry {
    Caller caller;
    std::vector<std::array<uint8_t, 32>> secrets;
    std::vector<uid_t> uids;
    std::vector<std::string> certificates;
    bool anonymous;
  };

  const Caller* Lookup(const Identity& identity) const;

  std::vector<Entry> entries_;
  const Caller all_ = Caller::All("anyone");
  const Caller operator_ = Caller::All("operator");
  const Caller none_ = Caller::None();
  const Caller* anonymous_ = nullptr;
};

// The message names the caller and the key.
Status CheckCallers(const std::vector<CallerConfig>& configs);

// The callers of the moment: a reload replaces them.
using CallerDirectory = Replaceable<Callers>;

}  // namespace tokend
