// Records and verdicts as tokenctl shows them: to people as tables, to programs as JSON. The names
// in the JSON are those of docs/protocol.md, times are Unix milliseconds.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "client/client.h"
#include "client/tokenctl/context.h"

namespace tokend::tokenctl {

nlohmann::ordered_json VerdictJson(const client::Verdict& verdict);
nlohmann::ordered_json RecordJson(const client::TokenInfo& record);
nlohmann::ordered_json IssuedJson(const client::IssuedToken& issued);

// "never", or the time.
std::string ExpiryText(const std::optional<uint64_t>& expires_at_ms);
std::string Joined(const std::vector<std::string>& words);

// "name  value" lines.
using Fields = std::vector<std::pair<std::string, std::string>>;
void PrintFields(const Context& context, const Fields& fields);
void PrintRecord(const Context& context, const client::TokenInfo& record);
void PrintRecords(const Context& context, const std::vector<client::TokenInfo>& records);

}  // namespace tokend::tokenctl
