// Cells of a table to rows of an import.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "import/importer.h"
#include "import/report.h"
#include "import/sql_time.h"
#include "import/table_mapping.h"
#include "import/table_rows.h"
#include "import/table_schema.h"
#include "import/time_zone.h"
#include "protocol/digest.h"
#include "protocol/error.h"
#include "protocol/params.h"

namespace tokend {

class RowBuilder {
 public:
  // What `mapping` makes of the columns that rows have, in their order; `schema` (may be null)
  // tells their types. kBadParams names a column that is missing.
  struct Layout {
    std::vector<std::string> columns;
    const TableSchema* schema = nullptr;
  };

  // What tokens live at most, from a time of their rows on.
  struct Lifetime {
    uint64_t ms = 0;
    Field from = Field::kCreatedAt;  // or kLastUsedAt
  };

  // How tokens become keys. The secret is there where tokens in clear need it, and outlives the
  // builder.
  struct Scheme {
    DigestScheme scheme = DigestScheme::kSha256;
    SecretView secret;
    // Rows have the tokens besides, where these are in clear.
    bool keeps_tokens = false;
  };

  RowBuilder(TableMapping mapping, const Scheme& scheme, ZeroDates zero_dates,
             const std::optional<Lifetime>& lifetime);

  Status Bind(const Layout& layout);
  // Zones of TIMESTAMP values and of times without zone; both must outlive the rows built.
  void SetZones(const TimeZone* timestamps, const TimeZone* others);

  const TableMapping& mapping() const { return mapping_; }
  // By position: which cells Build looks at.
  const std::vector<uint8_t>& wanted() const { return wanted_; }
  // For the report's header. `timestamp_note` and `other_note` say where a zone comes from.
  std::vector<FieldUse> Describe(const std::string& timestamp_note,
                                 const std::string& other_note) const;
  std::vector<std::string> IgnoredColumns() const;
  // Whether any value is read in the zone of TIMESTAMPs, or of others.
  bool uses_timestamp_zone() const;
  bool uses_other_zone() const;

  // Whether the row meets the mapping's conditions; if not, it is not to be built.
  bool Selects(const std::vector<Cell>& cells) const;
  // Missing: the row is good, and *row points into the cells and into this builder until the next
  // call. Else why it is refused.
  std::optional<RefusalReason> Build(const std::vector<Cell>& cells, ImportRow* row);

  // The namespace of the row in hand where a column names it, which is the table's then.
  std::string_view row_namespace() const { return row_namespace_; }
  // The token of the row in hand where it stands in clear and its database compares it by more than
  // its bytes; empty where not.
  std::string_view loose_token() const { return loose_token_; }
  // By what it does so; empty where it does not.
  const std::string& loose_collation() const { return loose_collation_; }

  // Rows built without this field because its value was of no use.
  uint64_t left_out(Field field) const { return left_out_[static_cast<size_t>(field)]; }
  // Whether every token in clear so far looked like a SHA-256 in hexadecimal digits.
  bool all_look_hashed() const { return tokens_ > 0 && tokens_like_digests_ == tokens_; }
  // Of the rows built so far, by type; others than the first kTypesMax are under "...".
  const std::map<std::string, uint64_t>& types() const { return types_; }

 private:
  struct Bound {
    const FieldMapping* mapping;
    size_t position;
    ColumnType type;
    std::string type_name;
    Charset charset;
  };
  struct Condition {
    const RowCondition* condition;
    size_t position;
  };
  static constexpr size_t kTypesMax = 16;
  enum class Zone : uint8_t { kNone, kTimestamp, kOther };

  using Refusal = std::optional<RefusalReason>;

  Refusal Apply(const Bound& bound, const Cell& cell, ImportRow* row);
  Refusal TakeToken(const Bound& bound, const Cell& cell, ImportRow* row);
  Refusal TakeOwner(const Bound& bound, const Cell& cell, ImportRow* row);
  Refusal TakeNamespace(const Bound& bound, const Cell& cell);
  Refusal TakeExpiry(const Bound& bound, const Cell& cell, ImportRow* row);
  Refusal TakeExpiresIn(const Cell& cell);
  Refusal ExpireAfter(const std::optional<uint64_t>& from_ms, uint64_t lifetime_ms,
                      ImportRow* row) const;
  Refusal TakeScopes(const Bound& bound, const Cell& cell, ImportRow* row);
  Refusal TakeState(const Bound& bound, const Cell& cell, ImportRow* row);
  void TakeSourceId(const std::vector<Cell>& cells, ImportRow* row);
  void TakeType(const Bound& bound, const Cell& cell, ImportRow* row);
  void TakeRest(const Bound& bound, const Cell& cell, ImportRow* row);

  Zone ZoneOf(const Bound& bound) const;
  TimeResult ReadTime(const Bound& bound, const Cell& cell, uint64_t* ms) const;
  // UTF-8 of a cell, in *buffer where it differs from the cell's bytes.
  Refusal ReadText(const Bound& bound, const Cell& cell, std::string* buffer,
                   std::string_view* text) const;
  // The same for owners and ids, which may be bytes: hexadecimal digits then.
  Refusal ReadId(const Bound& bound, const Cell& cell, std::string* buffer,
                 std::string_view* text) const;
  void LeaveOut(Field field) { ++left_out_[static_cast<size_t>(field)]; }

  const TableMapping mapping_;
  const DigestScheme scheme_;
  const SecretView secret_;
  const bool keeps_tokens_;
  const ZeroDates zero_dates_;
  const std::optional<Lifetime> lifetime_;
  const TimeZone* timestamp_zone_ = nullptr;
  const TimeZone* other_zone_ = nullptr;

  Layout layout_;
  std::vector<Bound> bound_;      // but for the source id
  std::vector<Bound> source_id_;  // several for a key of several columns
  std::vector<Condition> conditions_;
  std::vector<uint8_t> wanted_;

  Digester digester_;
  std::array<uint64_t, kFields> left_out_{};
  uint64_t tokens_ = 0;
  uint64_t tokens_like_digests_ = 0;
  std::map<std::string, uint64_t> types_;

  std::string loose_collation_;
  std::string_view loose_token_, row_namespace_;

  // What the row in hand points to.
  std::string token_buffer_, owner_buffer_, name_buffer_, scopes_buffer_, source_id_buffer_;
  std::string namespace_buffer_;
  std::string type_buffer_, attributes_;
  std::optional<uint64_t> expires_in_s_;
  std::vector<std::string> scopes_;
  // Stands in for an entry of the mapping where the primary key is the source id.
  FieldMapping primary_key_mapping_;
};

}  // namespace tokend
