package sentinel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// verdict is what one sentinel says.
type verdict struct {
	master   string // its address
	epoch    int64  // of the failover that made it master: the latest is right
	vote     int64  // the epoch that this sentinel voted in last
	mute     bool   // it does not tell us about votes
	others   int    // the sentinels that it knows of
	replaced bool   // it is making another one master, and has not yet
}

// verdict asks one sentinel: first for the address, which is the new master's as
// soon as there is one, then for all it knows, where the old one stands until the
// failover has ended. One that hears of a failover in between is asked again.
func (g *Group) verdict(ctx context.Context, c *redis.SentinelClient) (verdict, error) {
	const times = 3
	for range times {
		at, err := c.GetMasterAddrByName(ctx, g.name).Result()
		if errors.Is(err, redis.Nil) {
			return verdict{}, errUnknown
		}
		if err != nil {
			return verdict{}, err
		}
		known, err := c.Master(ctx, g.name).Result()
		if err != nil {
			return verdict{}, err
		}
		failing := strings.Contains(known["flags"], "failover_in_progress")
		v := verdict{master: net.JoinHostPort(at[0], at[1])}
		old := net.JoinHostPort(known["ip"], known["port"])
		if v.master != old && !failing {
			continue
		}
		v.replaced = failing && v.master == old
		if v.epoch, err = strconv.ParseInt(known["config-epoch"], 10, 64); err != nil {
			return verdict{}, fmt.Errorf("reading config-epoch: %w", err)
		}
		v.others, _ = strconv.Atoi(known["num-other-sentinels"]) // none, where it does not say
		v.vote, v.mute, err = vote(ctx, c, known["ip"], known["port"])
		return v, err
	}
	return verdict{}, errUnsettled
}

// vote asks for the epoch in which a sentinel voted last, by what sentinels ask each
// other for a vote with: in an epoch that is long past nobody gets one, and is told
// whom this one voted for, and when.
func vote(ctx context.Context, c *redis.SentinelClient, ip, port string) (epoch int64, mute bool, err error) {
	ask := redis.NewSliceCmd(ctx, "SENTINEL", "IS-MASTER-DOWN-BY-ADDR", ip, port, 0, "nobody")
	if err := c.Process(ctx, ask); redis.HasErrorPrefix(err, "NOPERM") {
		return 0, true, nil
	} else if err != nil {
		return 0, false, err
	}
	if answer := ask.Val(); len(answer) == 3 {
		epoch, _ = answer[2].(int64)
	}
	return epoch, false, nil
}
