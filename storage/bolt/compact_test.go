package bolt

import (
	"reflect"
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// fill gives every field below v a value of its own that is not zero.
func fill(t *testing.T, v reflect.Value, n *int64) {
	*n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.UnixMilli(1_790_000_000_000 + *n).UTC()))
		return
	case storage.Hash:
		v.Set(reflect.ValueOf(storage.HashOf(string(rune(*n)))))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("text " + string(rune('a'+*n)))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(*n * 1_000_003)
	case reflect.Uint64:
		v.SetUint(uint64(*n))
	case reflect.Uint8:
		v.SetUint('0')
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]any{"address": map[string]any{"locality": "x"}, "phone_number_verified": true}))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(t, v.Index(i), n)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), n)
		}
	default:
		t.Fatalf("%s cannot be filled", v.Type())
	}
}

// compactRecords are one of each compact type.
func compactRecords() []any {
	return []any{&storage.User{}, &storage.Session{}, &storage.ClientSession{}, &storage.Grant{}, &storage.Token{}, &storage.Delivery{}, &storage.Report{}}
}

// TestCompactRecordsKeepEveryField goes red when a field is added to a record and not to its layout.
func TestCompactRecordsKeepEveryField(t *testing.T) {
	for _, empty := range []bool{false, true} {
		for _, record := range compactRecords() {
			n, want := int64(0), reflect.ValueOf(record).Elem()
			if !empty {
				fill(t, want, &n)
			}
			switch r := record.(type) {
			case *storage.Session:
				r.ClientSessions = nil // records of their own
			case *storage.Report:
				if empty {
					r.Entries = []storage.ReportEntry{} // never null in JSON
				}
			}
			value, err := encode(want.Interface())
			if err != nil {
				t.Fatal(err)
			}
			got := reflect.New(want.Type())
			if err := decodeRecord(value, got.Interface()); err != nil {
				t.Errorf("%s: %v", want.Type(), err)
			}
			if !reflect.DeepEqual(got.Elem().Interface(), want.Interface()) {
				t.Errorf("got %+v, want %+v", got.Elem(), want)
			}
		}
	}
}

func TestDamagedRecordsAreErrors(t *testing.T) {
	for _, record := range compactRecords() {
		n, filled := int64(0), reflect.ValueOf(record).Elem()
		fill(t, filled, &n)
		value, err := encode(filled.Interface())
		if err != nil {
			t.Fatal(err)
		}
		into := func() any { return reflect.New(filled.Type()).Interface() }
		for i := range value {
			if decodeRecord(value[:i], into()) == nil {
				t.Errorf("%s cut to %d of %d bytes: got no error", filled.Type(), i, len(value))
			}
			hurt := append([]byte(nil), value...)
			hurt[i] ^= 0x80
			_ = decodeRecord(hurt, into()) // must not panic
		}
		_, older := record.(*storage.User) // may be JSON
		if decodeRecord(append(value, 0), into()) == nil || decodeRecord([]byte("{"), into()) == nil || !older && decodeRecord([]byte("{}"), into()) == nil {
			t.Errorf("%s: got no error for what is none", filled.Type())
		}
	}
}

func TestUserInJSONIsStillRead(t *testing.T) {
	var u storage.User
	if err := decodeRecord([]byte(`{"sub":"s1","preferred_username":"anna","claims":{"name":"Anna"},"created":"2026-01-02T03:04:05Z","revision":3}`), &u); err != nil {
		t.Fatal(err)
	}
	if u.Subject != "s1" || u.Name != "anna" || u.Claims["name"] != "Anna" || u.Created.Year() != 2026 || u.Revision != 3 {
		t.Errorf("got %+v", u)
	}
}
