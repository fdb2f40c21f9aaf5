-- Asks the decision server whether a request may pass. Anything but a yes is the answer to the client.

-- What is about the connection or the body of the client's request, and not about the question.
local dropped = {
	["connection"] = true, ["content-length"] = true, ["expect"] = true, ["host"] = true, ["keep-alive"] = true,
	["te"] = true, ["trailer"] = true, ["transfer-encoding"] = true, ["upgrade"] = true,
}

core.register_action("decide", { "http-req" }, function(txn, url)
	local headers = {}
	for name, values in pairs(txn.http:req_get_headers()) do
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
