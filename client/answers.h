// From the encoded results of answers to the client's own types. What is not of the shape that
// docs/protocol.md gives is the transport error "bad_answer"; unknown keys of maps are passed over,
// so that a later server may say more.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "client/client.h"

namespace tokend::client {

// Each is a Pending<T>::Decode: an error goes through as it is.
Result<Done> DecodeDone(const Result<std::string>& answer);  // any result will do
Result<bool> DecodeBool(const Result<std::string>& answer);
Result<uint64_t> DecodeUint(const Result<std::string>& answer);
Result<std::string> DecodeStr(const Result<std::string>& answer);
Result<Verdict> DecodeVerdict(const Result<std::string>& answer);
Result<std::vector<Verdict>> DecodeVerdicts(const Result<std::string>& answer);
Result<std::vector<InsertOutcome>> DecodeInsertOutcomes(const Result<std::string>& answer);
Result<IssuedToken> DecodeIssued(const Result<std::string>& answer);
Result<std::optional<RevealedToken>> DecodeRevealed(const Result<std::string>& answer);
Result<RekeyTotals> DecodeRekeyTotals(const Result<std::string>& answer);
Result<std::optional<TokenInfo>> DecodeRecord(const Result<std::string>& answer);
Result<TokenPage> DecodePage(const Result<std::string>& answer);
Result<ImportTotals> DecodeImportTotals(const Result<std::string>& answer);
Result<ServerInfo> DecodeServerInfo(const Result<std::string>& answer);
Result<BackupInfo> DecodeBackupInfo(const Result<std::string>& answer);
Result<ServerStats> DecodeStats(const Result<std::string>& answer);

// {code, message, id?}, as the server answers an error. Never fails: what has another shape becomes
// "internal", as MessagePack-RPC lets an error be anything.
Error DecodeError(std::string_view encoded);

}  // namespace tokend::client
