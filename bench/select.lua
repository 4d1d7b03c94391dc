-- For sysbench: whose is this token, by a prepared statement and an index.
sysbench.cmdline.options = { rows = {"Tokens in the table", 100000} }

function thread_init()
  connection = sysbench.sql.driver():connect()
  statement = connection:prepare("SELECT account_id, expires_at FROM api_token WHERE token = ?")
  token = statement:bind_create(sysbench.sql.type.CHAR, 64)
  statement:bind_param(token)
end

function event()
  token:set(string.format("%064X", sysbench.rand.uniform(1, sysbench.opt.rows)))
  local result = statement:execute()
  if result.nrows ~= 1 then error("a token was not found") end
  result:free()
end

function thread_done()
  statement:close()
  connection:disconnect()
end
