-- `http-request lua.tokend` asks tokend about a request. It sets txn.tokend_status (200, 401, 403, or
-- anything else where nobody can say), and txn.tokend_challenge, _owner, _scopes,
-- _expires and _id.
local URL = "http://127.0.0.1:7718/auth?namespace=api_token"
local TIMEOUT_MS = 1000
local VARIABLES = {
  challenge = "www-authenticate",
  owner = "x-auth-owner",
  scopes = "x-auth-scopes",
  expires = "x-auth-expires",
  id = "x-auth-id",
}

core.register_action("tokend", { "http-req" }, function(txn)
  local headers = {}
  local authorization = txn.http:req_get_headers()["authorization"]
  if authorization then
    headers["authorization"] = { authorization[0] }
  end
  local answer = core.httpclient():get({ url = URL, headers = headers, timeout = TIMEOUT_MS })
  txn:set_var("txn.tokend_status", answer.status or 0)
  for name, field in pairs(VARIABLES) do
    local values = answer.headers and answer.headers[field]
    txn:set_var("txn.tokend_" .. name, values and values[0] or "")
  end
end)
