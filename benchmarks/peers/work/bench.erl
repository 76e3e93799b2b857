%% What Erlang's processes do. Prints the nanoseconds that the work took, its start and end excluded.
-module(bench).
-export([main/1]).

-define(SENDERS, 100).
-define(RECEIVERS, 100).
-define(ASKERS, 1000).
-define(RING, 100).
-define(CHILDREN, 10).

main([Case, Count]) ->
    spawn(fun() -> eof = io:get_line(""), halt(1) end),  % whoever started it has gone
    Native = run(Case, list_to_integer(Count)),
    io:format("~b~n", [erlang:convert_time_unit(Native, native, nanosecond)]),
    halt().

run("tell-1-1", Count) -> tell_one(Count);
run("tell-100-1", Count) -> tell_from_many(Count);
run("tell-1-100", Count) -> tell_many(Count);
run("ask", Count) -> ask(Count, infinity);
run("ask-timeout", Count) -> ask(Count, 5000);
run("ask-1000", Count) -> ask_at_once(Count);
run("ring", Count) -> ring(?RING, Count);
run("ping-pong", Count) -> ring(2, Count);
run("spawn", Count) -> spawn_all(Count);
run("skynet", Count) -> skynet(Count).

timed(Work) ->
    Began = erlang:monotonic_time(),
    Work(),
    erlang:monotonic_time() - Began.

%% Count in at most Parts shares of about the same size, none of them empty.
shares(Count, Parts) ->
    More = Count rem Parts,
    [Count div Parts + case Index < More of true -> 1; false -> 0 end
     || Index <- lists:seq(0, min(Count, Parts) - 1)].

await(0) -> ok;
await(Left) -> receive done -> await(Left - 1) end.

%% Telling.

sink(Parent, 0) -> Parent ! done;
sink(Parent, Left) -> receive Number when is_integer(Number) -> sink(Parent, Left - 1) end.

send(_To, Count, Count) -> ok;
send(To, Number, Count) -> To ! Number, send(To, Number + 1, Count).

tell_one(Count) ->
    Self = self(),
    Sink = spawn_link(fun() -> sink(Self, Count) end),
    timed(fun() -> send(Sink, 0, Count), await(1) end).

tell_from_many(Count) ->
    Self = self(),
    Sink = spawn_link(fun() -> sink(Self, Count) end),
    Shares = shares(Count, ?SENDERS),
    Senders = [spawn_link(fun() -> receive Share -> send(Sink, 0, Share) end end) || _ <- Shares],
    timed(fun() ->
                  lists:foreach(fun({Sender, Share}) -> Sender ! Share end, lists:zip(Senders, Shares)),
                  await(1)
          end).

tell_many(Count) ->
    Self = self(),
    Sinks = [spawn_link(fun() -> sink(Self, Share) end) || Share <- shares(Count, ?RECEIVERS)],
    timed(fun() -> send_in_turn(Sinks, Sinks, 0, Count), await(length(Sinks)) end).

send_in_turn(_All, _Rest, Count, Count) -> ok;
send_in_turn(All, [], Number, Count) -> send_in_turn(All, All, Number, Count);
send_in_turn(All, [Sink | Rest], Number, Count) ->
    Sink ! Number,
    send_in_turn(All, Rest, Number + 1, Count).

%% Asking: with a monitor, as gen_server:call does it.

echo() -> receive {call, From, Ref, Number} -> From ! {Ref, Number}, echo() end.

call(To, Number, Timeout) ->
    Ref = erlang:monitor(process, To, [{alias, reply_demonitor}]),
    To ! {call, Ref, Ref, Number},
    receive
        {Ref, Answer} -> Answer;
        {'DOWN', Ref, process, To, Reason} -> exit(Reason)
    after Timeout -> exit(timeout)
    end.

call_all(_To, Count, Count, _Timeout) -> ok;
call_all(To, Number, Count, Timeout) ->
    Number = call(To, Number, Timeout),
    call_all(To, Number + 1, Count, Timeout).

ask(Count, Timeout) ->
    Echo = spawn_link(fun echo/0),
    timed(fun() -> call_all(Echo, 0, Count, Timeout) end).

ask_at_once(Count) ->
    Self = self(),
    Echo = spawn_link(fun echo/0),
    Shares = shares(Count, ?ASKERS),
    timed(fun() ->
                  lists:foreach(fun(Share) ->
                                        spawn_link(fun() ->
                                                           call_all(Echo, 0, Share, infinity),
                                                           Self ! done
                                                   end)
                                end, Shares),
                  await(length(Shares))
          end).

%% A ring. Handing the first one the token is a hop, too.

node_of(Parent) -> receive {meet, Following} -> hop(Parent, Following) end.

hop(Parent, Following) ->
    receive
        0 -> Parent ! done;
        Left -> Following ! Left - 1, hop(Parent, Following)
    end.

ring(Size, Count) ->
    Self = self(),
    Nodes = [First | Rest] = [spawn_link(fun() -> node_of(Self) end) || _ <- lists:seq(1, Size)],
    lists:foreach(fun({Node, Following}) -> Node ! {meet, Following} end,
                  lists:zip(Nodes, Rest ++ [First])),
    timed(fun() -> First ! Count - 1, await(1) end).

%% Starting.

idle(Parent) -> Parent ! done, receive _ -> ok end.

spawn_all(Count) ->
    Self = self(),
    timed(fun() -> start(Self, Count), await(Count) end).

start(_Parent, 0) -> ok;
start(Parent, Left) -> spawn_link(fun() -> idle(Parent) end), start(Parent, Left - 1).

skynet(Count) ->
    Self = self(),
    Wanted = Count * (Count - 1) div 2,
    timed(fun() ->
                  spawn_link(fun() -> leaf_or_node(Self, 0, Count) end),
                  receive Wanted -> ok end
          end).

leaf_or_node(Parent, Number, 1) -> Parent ! Number;
leaf_or_node(Parent, Number, Size) ->
    Self = self(),
    Each = Size div ?CHILDREN,
    lists:foreach(fun(Child) ->
                          spawn_link(fun() -> leaf_or_node(Self, Number + Child * Each, Each) end)
                  end, lists:seq(0, ?CHILDREN - 1)),
    Parent ! total(?CHILDREN, 0).

total(0, Sum) -> Sum;
total(Left, Sum) -> receive Number -> total(Left - 1, Sum + Number) end.
