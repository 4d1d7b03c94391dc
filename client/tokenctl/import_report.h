// The report of an import, for people and for programs.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "client/client.h"
#include "import/report.h"

namespace tokend::tokenctl {

// What the server made of the rows of a table, by its index; nullopt where it was not asked.
using TotalsOf = std::function<std::optional<client::ImportTotals>(size_t table_index)>;

std::string ImportReportText(const ImportReport& report, const TotalsOf& totals_of);
nlohmann::ordered_json ImportReportJson(const ImportReport& report, const TotalsOf& totals_of);

}  // namespace tokend::tokenctl
