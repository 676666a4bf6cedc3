package emulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// The maximum sizes of a payload in bytes.
const (
	maxSync  = 6 << 20
	maxAsync = 1 << 20
)

// api returns the handler of the Invoke API, and of the part of Secrets Manager that
// functions need.
func (e *Emulator) api() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /2015-03-31/functions/{name}/invocations", e.invoke)
	mux.HandleFunc("POST /{$}", e.secret)
	return mux
}

func (e *Emulator) invoke(w http.ResponseWriter, r *http.Request) {
	name, how := r.PathValue("name"), r.Header.Get("X-Amz-Invocation-Type")
	f, ok := e.functions[name]
	if !ok {
		refuse(w, http.StatusNotFound, "ResourceNotFoundException", "Function not found: "+name)
		return
	}
	limit := maxSync
	if how == "Event" {
		limit = maxAsync
	}
	payload, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(limit)))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		refuse(w, http.StatusRequestEntityTooLarge, "RequestTooLargeException",
			fmt.Sprintf("Request must be smaller than %d bytes for the InvokeFunction operation", limit))
		return
	}
	if err != nil {
		return // the client has disconnected
	}
	switch how {
	case "DryRun":
		w.WriteHeader(http.StatusNoContent)
	case "Event":
		e.work.Go(func() { e.deliver(f, payload) })
		w.WriteHeader(http.StatusAccepted)
	default:
		answer(w, f.handle(payload))
	}
}

// secret implements GetSecretValue of Secrets Manager.
func (e *Emulator) secret(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ID string `json:"SecretId"`
	}
	err := json.NewDecoder(io.LimitReader(r.Body, maxAsync)).Decode(&in)
	if err != nil || r.Header.Get("X-Amz-Target") != "secretsmanager.GetSecretValue" {
		refuse(w, http.StatusBadRequest, "InvalidRequestException", "only GetSecretValue is emulated")
		return
	}
	value, ok := e.options.Secrets[in.ID]
	if !ok {
		refuse(w, http.StatusBadRequest, "ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
		return
	}
	body, err := json.Marshal(map[string]string{"ARN": in.ID, "SecretString": value})
	if err != nil { // cannot happen: strings can always be encoded
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_, _ = w.Write(body) // a client that is gone needs no answer
}

// answer sends a client the result of a synchronous invocation.
func answer(w http.ResponseWriter, o outcome) {
	if o.throttled {
		refuse(w, http.StatusTooManyRequests, "TooManyRequestsException", "Rate Exceeded.")
		return
	}
	w.Header().Set("X-Amz-Executed-Version", "$LATEST")
	if o.failed {
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
	}
	_, _ = w.Write(o.body) // a client that is gone needs no answer
}

func refuse(w http.ResponseWriter, status int, kind, message string) {
	body, err := json.Marshal(map[string]string{"Type": "User", "Message": message})
	if err != nil { // cannot happen: strings can always be encoded
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Amzn-Errortype", kind)
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
