// Definitions of tables seen so far, by name.
#pragma once

#include <map>

#include "import/table_schema.h"

namespace tokend {

using TableCatalog = std::map<TableName, TableSchema>;

// A definition's file may name another database than the data, or none: then the name must be
// unique. Null if there is none.
const TableSchema* FindSchema(const TableCatalog& catalog, const TableName& table);

}  // namespace tokend
