#include "server/connection.h"

#include "server/loop.h"

namespace tokend {

void Connection::BeginGathered() {
  gathered_ = true;
  loop().FlushLater(*this);
}

}  // namespace tokend
