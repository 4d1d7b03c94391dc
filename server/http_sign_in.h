// Who asks, over HTTP: client id and secret with each request, and the guard against web pages.
#pragma once

#include "server/http_endpoints.h"
#include "server/http_exchange.h"

namespace tokend {

// By the caller's credentials: Basic ID:SECRET or Bearer SECRET in a field, or those of the form.
// False where they are wrong; to have none is not.
bool SignIn(HttpExchange& exchange, Credentials credentials);

// A web page in a browser on this machine can have requests sent to loopback, under a name that it
// has made point there. Whether the request is none of those.
bool IsFromNoWebPage(const HttpExchange& exchange);

}  // namespace tokend
