#include "import/table_catalog.h"

namespace tokend {

const TableSchema* FindSchema(const TableCatalog& catalog, const TableName& table) {
  auto found = catalog.find(table);
  if (found != catalog.end()) return &found->second;
  const TableSchema* only = nullptr;
  for (const auto& [name, schema] : catalog) {
    if (name.name != table.name) continue;
    if (!name.database.empty() && !table.database.empty()) continue;
    if (only != nullptr) return nullptr;
    only = &schema;
  }
  return only;
}

}  // namespace tokend
