#include "protocol/audit_line.h"

#include <algorithm>
#include <charconv>
#include <chrono>

#include "protocol/digest.h"
#include "protocol/error.h"
#include "protocol/record.h"

namespace tokend {
namespace {

constexpr std::string_view kFirst = "{\"seq\":";
constexpr std::string_view kSecond = ",\"at\":\"";
constexpr std::string_view kLast = ",\"prev\":\"";
constexpr std::string_view kEnd = "\"}";
constexpr size_t kKeyDigits = 8;
constexpr size_t kNameDigits = 16;
constexpr uint64_t kRfc3339MsMax = 253'402'300'799'999;  // the end of 9999

void AppendHex(std::string_view bytes, std::string* out) {
  constexpr char kDigits[] = "0123456789abcdef";
  for (const char c : bytes) {
    out->push_back(kDigits[static_cast<uint8_t>(c) >> 4]);
    out->push_back(kDigits[static_cast<uint8_t>(c) & 15]);
  }
}

int DigitOf(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

AuditHash Sha256(std::string_view bytes) {
  thread_local Digester digester;
  return digester.Sha256(bytes).bytes;
}

void AppendDigits(uint64_t value, size_t digits, std::string* out) {
  out->resize(out->size() + digits);
  for (auto at = out->rbegin(); digits > 0; --digits, value /= 10) {
    *at++ = static_cast<char>('0' + value % 10);
  }
}

// RFC 3339. By hand: strftime would be half of what a line costs.
void AppendTime(uint64_t unix_ms, std::string* out) {
  const std::chrono::sys_time<std::chrono::milliseconds> time{std::chrono::milliseconds(unix_ms)};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const auto ms = static_cast<uint64_t>((time - day).count());
  AppendDigits(static_cast<uint64_t>(static_cast<int>(date.year())), 4, out);
  out->push_back('-');
  AppendDigits(static_cast<unsigned>(date.month()), 2, out);
  out->push_back('-');
  AppendDigits(static_cast<unsigned>(date.day()), 2, out);
  out->push_back('T');
  AppendDigits(ms / 3600'000, 2, out);
  out->push_back(':');
  AppendDigits(ms / 60'000 % 60, 2, out);
  out->push_back(':');
  AppendDigits(ms / 1000 % 60, 2, out);
  out->push_back('.');
  AppendDigits(ms % 1000, 3, out);
  out->push_back('Z');
}

// Bytes beyond ASCII stay out: what they were is not asked of a log.
void AppendEscaped(std::string_view text, std::string* out) {
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out->push_back('\\');
      out->push_back(c);
    } else if (c < ' ' || c > '~') {
      out->push_back('?');
    } else {
      out->push_back(c);
    }
  }
}

}  // namespace

std::string ToHex(const AuditHash& hash) {
  std::string hex;
  AppendHex({reinterpret_cast<const char*>(hash.data()), hash.size()}, &hex);
  return hex;
}

std::optional<AuditHash> ParseAuditHash(std::string_view hex) {
  AuditHash hash{};
  if (hex.size() != 2 * hash.size()) return std::nullopt;
  for (size_t i = 0; i < hash.size(); ++i) {
    const int high = DigitOf(hex[2 * i]), low = DigitOf(hex[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    hash[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return hash;
}

AuditLineWriter::AuditLineWriter(uint64_t seq, uint64_t at_ms) {
  line_.reserve(448);
  line_.append(kFirst).append(std::to_string(seq)).append(kSecond);
  AppendTime(at_ms, &line_);
  line_.push_back('"');
}

void AuditLineWriter::Begin(std::string_view field) {
  line_.append(",\"").append(field).append("\":");
}

void AuditLineWriter::Text(std::string_view field, std::string_view value) {
  Begin(field);
  line_.push_back('"');
  AppendEscaped(value, &line_);
  line_.push_back('"');
}

void AuditLineWriter::Name(std::string_view field, std::string_view value) {
  if (IsPlainName(value)) return Text(field, value);
  std::string digest = "sha256:";
  const AuditHash hash = Sha256(value);
  AppendHex({reinterpret_cast<const char*>(hash.data()), kNameDigits / 2}, &digest);
  Text(field, digest);
}

void AuditLineWriter::Number(std::string_view field, uint64_t value) {
  Begin(field);
  line_.append(std::to_string(value));
}

void AuditLineWriter::True(std::string_view field) {
  Begin(field);
  line_.append("true");
}

void AuditLineWriter::Null(std::string_view field) {
  Begin(field);
  line_.append("null");
}

void AuditLineWriter::Time(std::string_view field, uint64_t unix_ms) {
  if (unix_ms == kNever) return Null(field);
  if (unix_ms > kRfc3339MsMax) return Number(field, unix_ms);
  Begin(field);
  line_.push_back('"');
  AppendTime(unix_ms, &line_);
  line_.push_back('"');
}

void AuditLineWriter::Key(std::string_view id_field, std::string_view key_field,
                          const TokenKey& key) {
  Text(id_field, ToHex(TokenId::Of(key)));
  Begin(key_field);
  line_.push_back('"');
  AppendHex(key.view().substr(kTokenIdBytes, kKeyDigits / 2), &line_);
  line_.push_back('"');
}

std::string AuditLineWriter::End(const AuditHash& prev) {
  line_.append(kLast);
  AppendHex({reinterpret_cast<const char*>(prev.data()), prev.size()}, &line_);
  line_.append(kEnd);
  return std::move(line_);
}

std::optional<AuditLink> ReadAuditLink(std::string_view line) {
  const size_t tail = kLast.size() + 2 * AuditHash().size() + kEnd.size();
  if (line.size() < kFirst.size() + tail || !line.starts_with(kFirst) || !line.ends_with(kEnd) ||
      std::any_of(line.begin(), line.end(), [](char c) { return c < ' ' || c > '~'; })) {
    return std::nullopt;
  }
  AuditLink link;
  const char* const end = line.data() + line.size();
  const auto [after, error] = std::from_chars(line.data() + kFirst.size(), end, link.seq);
  if (error != std::errc() || link.seq == 0) return std::nullopt;
  std::string_view rest(after, static_cast<size_t>(end - after));
  if (!rest.starts_with(kSecond)) return std::nullopt;
  rest.remove_prefix(kSecond.size());
  const size_t at_size = rest.find('"');
  if (at_size == std::string_view::npos || at_size + 1 + tail > rest.size()) return std::nullopt;
  link.at = rest.substr(0, at_size);
  rest.remove_prefix(rest.size() - tail);
  if (!rest.starts_with(kLast)) return std::nullopt;
  const auto prev = ParseAuditHash(rest.substr(kLast.size(), 2 * AuditHash().size()));
  if (!prev) return std::nullopt;
  link.prev = *prev;
  return link;
}

AuditHead HeadOf(uint64_t seq, std::string_view line) { return {seq, Sha256(line)}; }

}  // namespace tokend
