"""Which of HAProxy's servers are a domain's replicas, and who has answered."""

from loadtest.coldstart import answered

STATISTICS = """# pxname,svname,type,bck,hrsp_2xx
http_frontend,FRONTEND,0,,9
http-faults,replica-a,2,0,7
http-faults,replica-b,2,0,
http-faults,fallback,2,1,3
http-faults,BACKEND,1,,7
http-keywords,replica-c,2,0,1
"""


def test_only_a_domains_replicas_count_and_each_for_itself() -> None:
    assert answered(STATISTICS, "faults") == {"replica-a": 7, "replica-b": 0}
