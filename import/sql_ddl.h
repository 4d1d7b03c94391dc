// CREATE TABLE, as far as an import needs it.
#pragma once

#include "import/sql_tokenizer.h"
#include "import/table_schema.h"

namespace tokend {

// A table's name, "a.b" or "b"; the current token is its first. Moves on to the token behind it.
// False when there is no name here.
bool ReadTableName(SqlTokenizer* sql, TableName* name);

// Reads the rest of CREATE TABLE from the token behind the table's name on, up to and including the
// delimiter. False when it has no list of columns (LIKE, SELECT) or is cut short: `schema` is of no
// use then.
bool ReadTableDefinition(SqlTokenizer* sql, TableSchema* schema);

}  // namespace tokend
