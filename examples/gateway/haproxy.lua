-- Asks the decision server whether a request may pass. Anything but a yes is the answer to the client.

-- The headers of a client that the service gets. It gets no others: a client may write anything into the
-- others, and some service believes it. To let one pass, add a line with its name in small letters.
-- Cookie is not here, because a session of the service may be that of another user than the token's.
local passed = {
	["accept"] = true,
	["accept-charset"] = true,
	["accept-encoding"] = true,
	["accept-language"] = true,
	["authorization"] = true,
	["cache-control"] = true,
	["content-digest"] = true,
	["content-disposition"] = true,
	["content-encoding"] = true,
	["content-language"] = true,
	["content-range"] = true,
	["content-type"] = true,
	["idempotency-key"] = true,
	["if-match"] = true,
	["if-modified-since"] = true,
	["if-none-match"] = true,
	["if-range"] = true,
	["if-unmodified-since"] = true,
	["last-event-id"] = true,
	["origin"] = true,
	["pragma"] = true,
	["prefer"] = true,
	["range"] = true,
	["referer"] = true,
	["sec-fetch-dest"] = true,
	["sec-fetch-mode"] = true,
	["sec-fetch-site"] = true,
	["sec-websocket-extensions"] = true,
	["sec-websocket-key"] = true,
	["sec-websocket-protocol"] = true,
	["sec-websocket-version"] = true,
	["traceparent"] = true,
	["tracestate"] = true,
	["user-agent"] = true,
	["x-paragon-configuration-id"] = true,
	["x-paragon-credential"] = true,
	["x-request-id"] = true,
	["x-requested-with"] = true,

	-- These frame the request, and HAProxy itself reads them. haproxy.cfg says more of the last two.
	["host"] = true, ["content-length"] = true, ["transfer-encoding"] = true, ["expect"] = true,
	["connection"] = true, ["upgrade"] = true,
}

-- What is about the connection or the body of the client's request, and not about the question.
local dropped = {
	["connection"] = true, ["content-length"] = true, ["expect"] = true, ["host"] = true, ["keep-alive"] = true,
	["te"] = true, ["trailer"] = true, ["transfer-encoding"] = true, ["upgrade"] = true,
}

core.register_action("decide", { "http-req" }, function(txn, url)
	local headers, headers_of_client = {}, txn.http:req_get_headers()
	for name, values in pairs(headers_of_client) do
		if not dropped[name] then
			local list = {}
			for i = 0, #values do
				list[#list + 1] = values[i]
			end
			headers[name] = list
		end
	end
	-- These replace what the client sent.
	headers["x-original-method"] = { txn.f:method() }
	headers["x-original-uri"] = { txn.f:url() }

	-- In milliseconds, for each try. HAProxy 2.6 tries four times before it gives up.
	local answer = core.httpclient():get{ url = url, headers = headers, timeout = 1000 }
	if answer and answer.status == 204 then
		for name, values in pairs(headers_of_client) do
			if not passed[name] then
				txn.http:req_del_header(name)
			elseif #values > 0 then
				-- It is there twice: make it a list, which means the same (RFC 9110, section 5.3).
				txn.http:req_set_header(name, table.concat(values, ", ", 0))
			end
		end
		local subject = answer.headers["x-auth-subject"]
		txn:set_var("txn.subject", subject and subject[0] or "")
		txn:set_var("txn.decision", "yes")
		return
	end
	local status = answer and answer.status or 0
	if status ~= 401 and status ~= 403 and status ~= 500 then
		status = 503
	end
	local reply = txn:reply{ status = status }
	local challenge = answer and answer.headers and answer.headers["www-authenticate"]
	if status == 401 and challenge then
		reply:add_header("WWW-Authenticate", challenge[0])
	end
	txn:done(reply)
end, 1)
