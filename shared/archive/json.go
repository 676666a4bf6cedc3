package archive

import (
	"context"
	"encoding/json"
	"errors"
	"io"

	"ace/shared/fault"
)

const jsonType = "application/json"

// maxJSON is the maximum size of an object that ReadJSON decodes, in bytes. The objects
// that it is used for are much smaller.
const maxJSON = 32 << 20

// ReadJSON decodes a small object into the value that into points to. It returns the
// object's bytes and its Info. The error is ErrNotFound if no object has the key, and
// Internal if the object is not the JSON of such a value or is larger than 32 MiB.
func ReadJSON(ctx context.Context, store Store, key string, into any) ([]byte, Info, error) {
	return ReadJSONUpTo(ctx, store, key, maxJSON, into)
}

// ReadJSONUpTo is like ReadJSON for objects of up to most bytes.
func ReadJSONUpTo(ctx context.Context, store Store, key string, most int64, into any) ([]byte, Info, error) {
	object, err := store.Get(ctx, key)
	if err != nil {
		return nil, Info{}, err
	}
	defer object.Body.Close()
	body, err := io.ReadAll(io.LimitReader(object.Body, most+1))
	if fe := (*fault.Error)(nil); errors.As(err, &fe) { // also that the object is damaged
		return nil, Info{}, err
	}
	if err != nil {
		return nil, Info{}, fault.Wrap(err, fault.Unavailable, "the connection to the archive was lost while object %s was read", key)
	}
	if int64(len(body)) > most {
		return nil, Info{}, fault.New(fault.Internal, "object %s in the archive is damaged: it is larger than %d MiB", key, most>>20)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return nil, Info{}, fault.Wrap(err, fault.Internal, "object %s in the archive is damaged", key)
	}
	return body, object.Info, nil
}

// PutJSONIfAbsent stores a value as a new object. The error is ErrPrecondition if the
// object exists.
func PutJSONIfAbsent(ctx context.Context, store Store, key string, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return fault.Wrap(err, fault.Internal, "object %s cannot be encoded", key)
	}
	_, err = store.PutIfAbsent(ctx, key, jsonType, body)
	return err
}
