// Whether the lines of an audit log follow on each other, from file to file.
#pragma once

#include <cstdint>
#include <istream>
#include <optional>
#include <string>

#include "protocol/audit_line.h"

namespace tokend::tokenctl {

class AuditCheck {
 public:
  // What is wrong, and where; empty = nothing. Nothing more may be read then.
  std::string Read(std::istream& in, const std::string& name);

  uint64_t lines() const { return lines_; }
  // Of the first and of the last line; require lines() != 0.
  uint64_t first_seq() const { return first_seq_; }
  const std::string& first_at() const { return first_at_; }
  const std::string& last_at() const { return last_at_; }
  const AuditHead& head() const { return head_; }

  // To be told the hash of this line when it comes.
  void Watch(uint64_t seq) { watched_.seq = seq; }
  std::optional<AuditHash> watched() const {
    return has_watched_ ? std::optional(watched_.hash) : std::nullopt;
  }

 private:
  std::string Add(const std::string& line, const std::string& place);

  uint64_t lines_ = 0;
  uint64_t first_seq_ = 0;
  std::string first_at_, last_at_;
  AuditHead head_;
  std::string head_place_;
  AuditHead watched_;
  bool has_watched_ = false;
};

}  // namespace tokend::tokenctl
