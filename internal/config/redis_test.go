package config_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/handoff-portal/handoff/internal/config"
)

func TestRedis(t *testing.T) {
	key := getenv("HANDOFF_KEY")
	for _, tt := range []struct {
		edits []edit
		want  config.Redis
	}{
		{[]edit{{"", "store: redis://127.0.0.1"}}, config.Redis{Addrs: []string{"127.0.0.1:6379"}}},
		{[]edit{{"", "store: redis://[::1]:7000/3"}}, config.Redis{Addrs: []string{"[::1]:7000"}, DB: 3}},
		{[]edit{{"", "store: redis://[::1]"}}, config.Redis{Addrs: []string{"[::1]:6379"}}},
		{[]edit{{"", "store: rediss://portal@redis.example.com/0"}, {"", "redis: {password: env:HANDOFF_KEY}"}}, config.Redis{
			Addrs: []string{"redis.example.com:6379"}, TLS: true, Username: "portal", Password: "key",
		}},
		{[]edit{{"", "store: redis://a,b:7001,c"}}, config.Redis{Addrs: []string{"a:6379", "b:7001", "c:6379"}, Cluster: true}},
		{[]edit{{"", "store: rediss://a?cluster=yes"}}, config.Redis{Addrs: []string{"a:6379"}, Cluster: true, TLS: true}},
		{[]edit{{"", "store: redis+sentinel://p%40x@a,b:26380/main/2?tls=yes"}, {"", "redis: {password: env:HANDOFF_KEY, sentinel_username: w, sentinel_password: env:HANDOFF_KEY}"}}, config.Redis{
			Addrs: []string{"a:26379", "b:26380"}, Master: "main", DB: 2, TLS: true, Username: "p@x", Password: "key",
			SentinelUsername: "w", SentinelPassword: "key",
		}},
	} {
		text := apply(t, tt.edits...)
		c, err := config.Parse("handoff.yaml", []byte(text), getenv)
		if err != nil {
			t.Errorf("Parse(%s) = %v", show(text), err)
			continue
		}
		got := *c.Store.Redis
		for _, s := range []*string{(*string)(&got.Password), (*string)(&got.SentinelPassword)} {
			if *s == key {
				*s = "key"
			}
		}
		if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreFields(config.Redis{}, "CA")); diff != "" || c.Store.Kind != config.StoreRedis {
			t.Errorf("Parse(%s).Store is of kind %s (-want +got):\n%s", show(text), c.Store.Kind, diff)
		}
	}
}
